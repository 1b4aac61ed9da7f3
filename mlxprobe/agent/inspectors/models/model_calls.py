"""How models are called within a few gradient calls: what they were given, so that they can be called again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import CodeType, FunctionType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.side_effects import Effects, followed
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.replay.sandbox import Sandbox, outputs
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark

CALLED, STEPS = (1, 3), (6, 12, 64, 129, 256)  # how often a model has been, at looks; and steps
TRACED = (1, 2, 3)  # of a compiled step, which is run once more so seldom that each time counts
MODELS, CALLS = 4, 4
DEEPEST = 2  # modules below the one that is trained
CONTAINERS = "mlx.nn.layers.containers"  # of MLX's own, what may be a model


class Made:
    """One call of a module's `function`, and of what shapes were the numbers that it returned.

    It is an `outer` one where no other module that is listened to has called it. The results themselves are let go: a
    backward pass that a program has made small would hold them all.
    """

    def __init__(
        self, module: Any, function: Callable[..., Any], given: tuple[Any, Any], output: Any, *, outer: bool
    ) -> None:
        self._module = weak(module) if static.is_module(module) else lambda: module
        self.function = function
        self.args, self.kwargs = given
        self.shapes = [tuple(one.shape) for one in outputs(output)]
        self.outer = outer
        self.effects: Effects | None = None  # the outermost call was read for them; None of a compiled one

    @property
    def module(self) -> Any:
        """The module, as long as the program keeps it."""
        return self._module()

    def sandbox(self, nesting: Nesting) -> Sandbox:
        """Return what restores all that the call was seen to reach."""
        effects = self.effects
        met = [] if effects is None else [*effects.changed, *(known() for known in effects.roots)]
        return Sandbox(nesting, self.module, *met, effects=effects)

    @property
    def code(self) -> CodeType:
        """The user's function."""
        function: Any = self.function
        while (inner := static.wrapped(function)) is not None:
            function = inner
        code: CodeType = function.__code__
        return code


class Heard(Inspector):
    """Wrap what models and the modules right below can be called by, for one gradient call at a time."""

    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._models: dict[int, list[Any]] = {}  # each with how often a gradient was taken of it
        self._loans = Loans()
        self._called: tuple[int, ...] = CALLED
        self._depth = 0
        self._effects: Effects | None = None  # of the outermost call under way

    def calling(self) -> None:
        self._let_go()
        step = self.inspection.recorder.step + 1
        every = step in STEPS or (step > STEPS[-1] and is_landmark(step))  # a slow model is asked once a run is long
        for known, times in self._models.values():
            if (every or times in self._called) and (model := known()) is not None:
                self.inspection.heard = []
                self.inspection.often.clear()
                self._listen(model)

    def called(self, call: Call) -> None:
        self._let_go()
        if call.model is not None and call.function is not None and len(self._models) < MODELS:
            self._models.setdefault(id(call.model), [weak(call.model), 0])[1] += 1

    def called_in_trace(self, call: Call) -> None:
        self._called = TRACED
        if call.model is not None and call.function is not None and len(self._models) < MODELS:
            self._models.setdefault(id(call.model), [weak(call.model), 1])

    def forget(self) -> None:
        """Let go; where an eager run of a compiled function begins now, hear of what it calls."""
        self.inspection.heard = []
        if self.inspection.inside:
            self._let_go()
        else:
            self.calling()

    def finish(self) -> None:
        self._let_go()

    def _listen(self, model: Any) -> None:
        kinds = dict.fromkeys(type(one) for path, one in model.named_modules() if path.count(".") < DEEPEST)
        for kind in kinds:
            if kind.__module__.startswith("mlx.") and (kind is not type(model) or kind.__module__ != CONTAINERS):
                continue
            for name, original in list(vars(kind).items()):
                if isinstance(original, FunctionType) and (name == "__call__" or not name.startswith("_")):
                    self._loans.replace(kind, name, self._wrapped)

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        seen = self.inspection

        @like(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if seen.busy or seen.tracing or not args:
                return original(*args, **kwargs)
            self._depth += 1
            reads = self._depth == 1 and not seen.inside
            effects = self._effects = Effects() if reads else self._effects if self._depth > 1 else None
            try:
                with followed(effects) if reads and effects else nullcontext():
                    output = original(*args, **kwargs)
            finally:
                self._depth -= 1
            with seen.recorder.carefully():
                made = Made(args[0], original, (args[1:], kwargs), output, outer=self._depth == 0)
                made.effects = effects
                self._hear(made)
            return output

        return call

    def _hear(self, made: Made) -> None:
        """Keep the first calls of models, and the first within them: a model ends after all of its blocks have."""
        seen = self.inspection
        takes_ids = made.outer or any("int" in str(one.dtype) for one in lazy_graph.leaves([made.args, made.kwargs]))
        if takes_ids and sum(one.outer == made.outer for one in seen.heard) < CALLS:
            seen.heard.append(made)
        if made.outer:
            seen.often[id(made.module)] += 1
            if seen.often[id(made.module)] == CALLS:
                seen.often_at = call_site.calling()

    def _let_go(self) -> None:
        self._loans.give_back()
        self._depth = 0
