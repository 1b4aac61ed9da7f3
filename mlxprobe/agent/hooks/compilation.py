"""Wrap `mx.compile`: a compiled step runs its Python once, so that its hooks speak only while it is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from mlxprobe.agent.compiled.compiled_function import Compiled
from mlxprobe.agent.compiled.eager_replay import Shadows
from mlxprobe.agent.compiled.retracing import Made
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.guarded import Once, guarded
from mlxprobe.agent.intercept.intercepts import Intercepts, Observe
from mlxprobe.agent.intercept.states import OURS
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.nan_origin.call_history import Origin
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.compile_switch import CompileSwitch
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.dispatcher import Inspection


class Compilation:
    """Tell what compiled functions do, from what their traces did and what an eager run of them shows.

    They stay with the program, and ask who is there when they are called (see `GradientCalls`).
    """

    here: ClassVar[Compilation | None] = None

    def __init__(self, recorder: Recorder, inspection: Inspection, nesting: Nesting, origin: Origin) -> None:
        self._origin = origin
        self.recorder = recorder
        self.inspection = inspection
        self.nesting = nesting
        self.made: dict[tuple[str, int], Made] = {}  # where functions are compiled
        self.shadows = Shadows(inspection, nesting)

    def observe(self, intercepts: Intercepts) -> None:
        """Listen to what `mlx.core` offers."""
        Compilation.here = self
        intercepts.around("mlx.core.checkpoint", self._checkpoint)
        intercepts.around("mlx.core.compile", self.wrap)
        switches = ("disable_compile", "enable_compile")
        intercepts.add(self, (Observe(f"mlx.core.{name}", "_switched", after=True, never=OURS) for name in switches))

    def leave(self) -> None:
        """Listen no more."""
        Compilation.here = None

    def _switched(self, event: CallEvent) -> None:
        CompileSwitch.is_off = event.function == "disable_compile"

    def _checkpoint(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "fun")

        def made(once: Callable[..., Any], args: Any, kwargs: Any) -> Any:
            (fun,) = given(args, kwargs)
            return self._unless_replayed(fun, given.call(once, args, kwargs, self._recomputed(fun)))

        @like(original)
        def checkpoint(*args: Any, **kwargs: Any) -> Any:
            return guarded(self.recorder.failed, lambda once: made(once, args, kwargs), original, args, kwargs)

        return checkpoint

    @property
    def runs(self) -> bool:
        """Whether a compiled function that is called now only runs its Python, and is neither traced nor replayed."""
        return bool(CompileSwitch.is_off or self.nesting.tracing or self.nesting.depth or self.nesting.shadow)

    def _unless_replayed(self, function: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
        """Let the function's own Python run where each operation is looked at."""
        nesting = self.nesting

        @like(call)
        def either(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs) if nesting.replay else call(*args, **kwargs)

        return either

    def _recomputed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Say while a function runs, forward or again for its gradient, that what it makes is not kept."""
        nesting = self.nesting

        @like(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            nesting.recomputed += 1
            try:
                return function(*args, **kwargs)
            finally:
                nesting.recomputed -= 1

        return run

    def wrap(self, original: Callable[..., Any]) -> Callable[..., Any]:
        taken = Given(original, "fun", "inputs", "outputs")

        @like(original)
        def compile_(*args: Any, **kwargs: Any) -> Callable[..., Any]:
            made: Callable[..., Any] = guarded(
                self.recorder.failed, lambda once: self._made(once, taken, args, kwargs), original, args, kwargs
            )
            return made

        return compile_

    def _made(self, original: Callable[..., Any], taken: Given, args: Any, kwargs: Any) -> Callable[..., Any]:
        fun, *_ = taken(args, kwargs)
        if call_site.is_mlx(static.whence(fun)):
            return self._unless_replayed(fun, original(*args, **kwargs))
        return self._compiled(original, taken, args, kwargs)

    def _compiled(self, original: Callable[..., Any], taken: Given, args: Any, kwargs: Any) -> Callable[..., Any]:
        """Compile a function that tells when it is traced and called."""
        fun, *given = taken(args, kwargs)
        site = call_site.calling()
        made = self.made.setdefault(site, Made(self.recorder, site))
        if not self.runs:
            made.compiled()
        function = Compiled(fun, given, site, self.inspection, self._origin)
        self.recorder.traces.setdefault(static.title(fun), []).append(function.traces)

        @like(fun)
        def traced(*fargs: Any, **fkwargs: Any) -> Any:
            here = Compilation.here
            if here is None or here.runs:
                return fun(*fargs, **fkwargs)
            return guarded(
                here.recorder.failed,
                lambda once: here._traced(function, made, once, fargs, fkwargs),
                fun,
                fargs,
                fkwargs,
            )

        call = taken.call(original, args, kwargs, traced)

        @like(call)
        def compiled(*fargs: Any, **fkwargs: Any) -> Any:
            here = Compilation.here
            if here is None:
                return call(*fargs, **fkwargs)
            nesting = here.nesting
            if nesting.replay:
                return fun(*fargs, **fkwargs)
            if CompileSwitch.is_off or nesting.tracing or nesting.depth or nesting.shadow:  # `runs`, at each call
                return call(*fargs, **fkwargs)
            made.calls += 1
            once = Once()  # as in `guarded`, but in fewer functions of ours: this is called at each step
            once.call = call
            try:
                return function.known_to(here.inspection, here._origin).call(once, fargs, fkwargs, here.shadows)
            except Exception as error:
                if error is once.error:
                    raise
                here.recorder.failed(error)
            return once.result if once.done else call(*fargs, **fkwargs)

        return compiled

    def _traced(self, function: Compiled, made: Made, fun: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        made.traced()
        return function.known_to(self.inspection, self._origin).trace(fun, args, kwargs)
