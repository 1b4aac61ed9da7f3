"""Wrap `mx.compile`: a compiled step runs its Python once, so that its hooks speak only while it is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlxprobe.agent import sites
from mlxprobe.agent.arguments import like

if TYPE_CHECKING:
    from mlxprobe.agent.hooks import Hooks

RETRACED, RETRACED_SHARE = 5, 0.8


class Compilation:
    """Tell what compiled functions do, from what their traces did."""

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self.traces: dict[tuple[str, int], list[int]] = {}  # where a compiled function is: traces and calls

    def wrap(self, original: Callable[..., Any]) -> Callable[..., Any]:
        hooks = self.hooks

        @like(original)
        def compile_(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            if (getattr(fun, "__module__", None) or "").startswith("mlx."):
                plain: Callable[..., Any] = original(fun, *args, **kwargs)
                return plain
            seen = {"gradients": False, "updates": False}
            code = getattr(fun, "__code__", None)
            site = sites.calling()
            counts = self.traces.setdefault((code.co_filename, code.co_firstlineno) if code else site, [0, 0])
            captured = all(
                args[k] if len(args) > k else kwargs.get(name) for k, name in enumerate(("inputs", "outputs"))
            )

            @like(fun)
            def traced(*fargs: Any, **fkwargs: Any) -> Any:
                hooks.tracing.append(seen)
                counts[0] += 1
                try:
                    return fun(*fargs, **fkwargs)
                finally:
                    hooks.tracing.pop()
                    if seen["updates"] and not captured:
                        self.hooks.recorder.fact("state not captured", site)

            return self._compiled_call(original(traced, *args, **kwargs), seen, counts)

        return compile_

    def _compiled_call(self, call: Callable[..., Any], seen: dict[str, bool], counts: list[int]) -> Callable[..., Any]:
        hooks, recorder = self.hooks, self.hooks.recorder

        @like(call)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            if hooks.tracing or hooks.depth:
                return call(*args, **kwargs)
            counts[1] += 1
            if counts[0] >= RETRACED and counts[0] >= RETRACED_SHARE * counts[1]:
                recorder.fact("retraced", traces=counts[0], calls=counts[1])
            recorder.gradient_begins()
            result = call(*args, **kwargs)
            if seen["gradients"]:
                recorder.gradient_ends(result)
            if seen["updates"]:
                recorder.updated({}, {}, applied=True)
            return result

        return compiled
