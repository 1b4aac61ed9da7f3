"""Wrap `mx.compile`: a compiled step runs its Python once, so that its hooks speak only while it is traced."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from mlxprobe.agent import sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.nesting import Nesting
from mlxprobe.agent.recorder import Recorder

RETRACED, RETRACED_SHARE = 5, 0.8


class Compilation:
    """Tell what compiled functions do, from what their traces did."""

    def __init__(self, recorder: Recorder, inspection: Inspection, nesting: Nesting) -> None:
        self.recorder = recorder
        self.inspection = inspection
        self.nesting = nesting
        self.traces: dict[tuple[str, int], list[int]] = {}  # where a compiled function is: traces and calls
        self.made: dict[tuple[str, int], set[int]] = {}  # where functions are compiled: at which steps
        self.updated: list[tuple[Any, Any]] = []  # models and their optimizers, in the trace under way

    def wrap(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorder, nesting = self.recorder, self.nesting

        @like(original)
        def compile_(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            if (getattr(fun, "__module__", None) or "").startswith("mlx."):
                plain: Callable[..., Any] = original(fun, *args, **kwargs)
                return plain
            seen = {"gradients": False, "updates": False}
            code = getattr(fun, "__code__", None)
            site = sites.calling()
            counts = self.traces.setdefault((code.co_filename, code.co_firstlineno) if code else site, [0, 0])
            made = self.made.setdefault(site, set())
            made.add(recorder.step)
            if len(made) >= RETRACED:
                recorder.fact("compiled anew", site, times=len(made))
            trained: list[tuple[Callable[[], Any], Callable[[], Any]]] = []
            given = [args[k] if len(args) > k else kwargs.get(name) for k, name in enumerate(("inputs", "outputs"))]

            @like(fun)
            def traced(*fargs: Any, **fkwargs: Any) -> Any:
                nesting.tracing.append(seen)
                counts[0] += 1
                try:
                    return fun(*fargs, **fkwargs)
                finally:
                    nesting.tracing.pop()
                    trained[:] = [(weak(model), weak(optimizer)) for model, optimizer in self.updated]
                    for what in self.uncaptured(given):
                        recorder.fact("state not captured", site, what=what)

            return self._compiled_call(original(traced, *args, **kwargs), seen, counts, trained)

        return compile_

    def uncaptured(self, given: list[Any]) -> list[str]:
        """Name what a trace has updated and `given`, its inputs and outputs, do not hold."""
        missing = []
        for model, optimizer in self.updated:
            for what, tree in (("the model", model), ("the optimizer's state", getattr(optimizer, "state", None))):
                stable = tree is model or tree is getattr(optimizer, "state", None)
                if stable and isinstance(tree, dict) and not all(holds(one, tree) for one in given):
                    missing.append(what)
        self.updated.clear()
        return missing

    def _compiled_call(
        self,
        call: Callable[..., Any],
        seen: dict[str, bool],
        counts: list[int],
        trained: list[tuple[Callable[[], Any], Callable[[], Any]]],
    ) -> Callable[..., Any]:
        recorder, nesting = self.recorder, self.nesting

        @like(call)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            if nesting.tracing or nesting.depth:
                return call(*args, **kwargs)
            counts[1] += 1
            if counts[0] >= RETRACED and counts[0] >= RETRACED_SHARE * counts[1]:
                recorder.fact("retraced", traces=counts[0], calls=counts[1])
            recorder.gradient_begins()
            result = call(*args, **kwargs)
            if seen["gradients"]:
                recorder.gradient_ends(result)
            for model, optimizer in [(one(), other()) for one, other in trained]:
                recorder.updated(model, optimizer)
                self.inspection.training(model, optimizer)
            return result

        return compiled


def holds(given: Any, tree: Any, depth: int = 3) -> bool:
    """Tell whether a tree is among what was given, itself and not a copy."""
    if given is tree:
        return True
    parts = given.values() if isinstance(given, dict) else given if isinstance(given, (list, tuple)) else ()
    return depth > 0 and any(holds(one, tree, depth - 1) for one in parts)


def weak(one: Any) -> Callable[[], Any]:
    """Refer to a model or optimizer without keeping it alive; a plain dict cannot be, and is not."""
    try:
        return weakref.ref(one)
    except TypeError:
        return dict
