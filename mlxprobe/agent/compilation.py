"""Wrap `mx.compile`: a compiled step runs its Python once, so that its hooks speak only while it is traced."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from typing import Any

from mlxprobe.agent import sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.capture import Reach, Traced
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.nesting import Nesting
from mlxprobe.agent.phases import TRACING
from mlxprobe.agent.recorder import Recorder
from mlxprobe.agent.traces import Made, Traces

CONSTANTS = (bool, int, float, str, type(None))

Trained = dict[tuple[Any, ...], list[tuple[Callable[[], Any], Callable[[], Any]]]]  # what each trace updates


class Compilation:
    """Tell what compiled functions do, from what their traces did."""

    def __init__(self, recorder: Recorder, inspection: Inspection, nesting: Nesting) -> None:
        self.recorder = recorder
        self.inspection = inspection
        self.nesting = nesting
        self.made: dict[tuple[str, int], Made] = {}  # where functions are compiled
        self.updated: list[Traced] = []  # in the trace under way
        self.reach: Reach | None = None  # of that trace
        self.disabled = "MLX_DISABLE_COMPILE" in os.environ  # then Python runs at each call, and nothing is traced

    def install(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers."""
        mx.compile = self.wrap(mx.compile)
        for name, disables in (("disable_compile", True), ("enable_compile", False)):
            setattr(mx, name, self._switch(getattr(mx, name), disables=disables))

    def _switch(self, original: Callable[[], None], *, disables: bool) -> Callable[[], None]:
        @like(original)
        def switch() -> None:
            original()
            self.disabled = disables

        return switch

    @property
    def runs(self) -> bool:
        """Whether a compiled function that is called now only runs its Python, and is neither traced nor replayed."""
        return bool(self.disabled or self.nesting.tracing or self.nesting.depth)

    def wrap(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorder, nesting = self.recorder, self.nesting

        @like(original)
        def compile_(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            if sites.is_mlx(getattr(fun, "__module__", None) or ""):
                plain: Callable[..., Any] = original(fun, *args, **kwargs)
                return plain
            seen = {"gradients": False, "updates": False}
            site = sites.calling()
            traces, name = Traces(recorder), getattr(fun, "__name__", type(fun).__name__)
            recorder.traces.setdefault(name, []).append(traces)
            made = self.made.setdefault(site, Made(recorder, site))
            if not self.runs:
                made.compiled()
            trained: Trained = {}
            given = [args[k] if len(args) > k else kwargs.get(name) for k, name in enumerate(("inputs", "outputs"))]

            @like(fun)
            def traced(*fargs: Any, **fkwargs: Any) -> Any:
                if self.runs:
                    return fun(*fargs, **fkwargs)
                nesting.tracing.append(seen)
                traces.traced(fargs, fkwargs, given[0])
                self.reach = Reach(given, [fargs, fkwargs])
                began = time.monotonic()
                try:
                    result = fun(*fargs, **fkwargs)
                    for what, needed in self.uncaptured(result):
                        recorder.fact("state not captured", site, what=what, needed=needed)
                    return result
                finally:
                    recorder.phases.took(TRACING, began, time.monotonic())
                    nesting.tracing.pop()
                    trained[branch(fargs, fkwargs)] = [(weak(u.model), weak(u.optimizer)) for u in self.updated]
                    self.updated.clear()

            return self._compiled_call(original(traced, *args, **kwargs), seen, (traces, made), trained)

        return compile_

    def uncaptured(self, result: Any) -> list[tuple[str, bool]]:
        """Name what the trace under way has updated and neither takes in nor gives out."""
        reach, self.reach = self.reach, None
        if reach is None:
            return []
        reach.returns(result)
        return [found for update in self.updated for found in update.uncaptured(reach)]

    def _compiled_call(
        self,
        call: Callable[..., Any],
        seen: dict[str, bool],
        counts: tuple[Traces, Made],
        trained: Trained,
    ) -> Callable[..., Any]:
        recorder = self.recorder
        traces, made = counts

        @like(call)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            if self.runs:
                return call(*args, **kwargs)
            recorder.gradient_begins()
            result = call(*args, **kwargs)
            made.calls += 1
            traces.called()
            updates = [(one(), other()) for one, other in trained.get(branch(args, kwargs), ())]
            if not (seen["gradients"] or seen["updates"]):
                recorder.phases.goes_on()
            elif self.inspection.due:
                self.inspection.given(args)
            if seen["gradients"]:
                models = updates or [(one(), None) for pairs in trained.values() for one, _ in pairs]
                recorder.gradient_ends(result, id(models[0][0]) if models else 0)
            for model, optimizer in updates:
                recorder.updated(model, optimizer)
                self.inspection.training(model, optimizer)
            return result

        return compiled


def branch(args: Any, kwargs: Any) -> tuple[Any, ...]:
    """Tell calls apart that run different traces: by their numbers, words and flags, and by the kinds of the rest."""
    given = (*args, *kwargs.values())
    return tuple(one if isinstance(one, CONSTANTS) else type(one).__name__ for one in given)


def weak(one: Any) -> Callable[[], Any]:
    """Refer to a model or optimizer without keeping it alive; a plain dict cannot be, and is not."""
    try:
        return weakref.ref(one)
    except TypeError:
        return dict
