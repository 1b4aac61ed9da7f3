"""Wrap what changes parameters: optimizers' updates, a module's own, and the loading of weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks.weight_mismatch import differences
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Intercepts, Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.interrupts import QUIETLY
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.compile_capture import Traced
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.wire.ranks import declared
from mlxprobe.protocol.facts.models import UpdatedWithItself
from mlxprobe.protocol.facts.ranks import StateGiven
from mlxprobe.protocol.facts.updates import Resumed


class Updates:
    """Tell of every update, traced or not, and of weights that do not fit their module."""

    def __init__(self, recorder: Recorder, inspection: Inspection, nesting: Nesting) -> None:
        self._recorder = recorder
        self._inspection = inspection
        self._nesting = nesting
        self.comes_late = False  # there may have been updates before
        self._met: set[int] = set()

    def observe(self, intercepts: Intercepts) -> None:
        """Listen to what a module does to its parameters, and to the updates of every optimizer class."""
        module, optimizers = "mlx.nn.layers.base.Module.", "mlx.optimizers.optimizers."
        intercepts.around(f"{module}update", self._module_update)
        intercepts.add(self, [Observe(f"{module}load_weights", "_loads")])
        intercepts.within(f"{module}load_weights", self._load)
        for name in ("update", "apply_gradients"):
            intercepts.around(f"{optimizers}*.{name}", partial(self._update, applies=name == "update"))
        if declared()[0] >= 0:
            intercepts.around(f"{optimizers}Optimizer.state", self._state)

    def _state(self, original: property) -> property:
        """Tell where a state is given to an optimizer: of several ranks, one may alone have read a checkpoint."""

        def given(optimizer: Any, state: Any) -> None:
            if not self._nesting.depth:
                self._recorder.fact(StateGiven(what="the optimizer's state"))
            original.__set__(optimizer, state)

        return property(original.fget, given, original.fdel, original.__doc__)

    def _update(self, original: Callable[..., Any], *, applies: bool) -> Callable[..., Any]:
        recorder, nesting, inspection = self._recorder, self._nesting, self._inspection

        @like(original)
        def update(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if nesting.depth:
                return original(optimizer, *args, **kwargs)
            if applies and not kwargs and len(args) == 2 and issubclass(type(args[0]), dict):
                model, gradients = args
            else:
                model, gradients = _trees(args, kwargs, applies=applies)
            if inspection.due or nesting.tracing or self.comes_late or not recorder.gradients:
                with recorder.carefully():
                    self._begins(optimizer, model, gradients, applies)
            nesting.depth += 1
            try:
                result = original(optimizer, *args, **kwargs)
            finally:
                nesting.depth -= 1
            try:
                if nesting.tracing:
                    inspection.traced(model, gradients)
                elif not nesting.shadow:
                    recorder.updated(model, optimizer)
            except Exception as error:
                recorder.failed(error)
            return result

        return update

    def _begins(self, optimizer: Any, model: Any, gradients: Any, applies: bool) -> None:
        recorder, nesting = self._recorder, self._nesting
        if not (recorder.gradients or nesting.tracing or nesting.shadow):
            recorder.gradient_begins()  # by a function that was made before anybody looked
        if self.comes_late and id(optimizer) not in self._met:
            self._meet(optimizer, model)
        if nesting.tracing:
            nesting.tracing[-1].updated.append(Traced(model, optimizer, gradients, applies=applies))
        elif self._inspection.due:
            self._inspection.updating(model, optimizer, gradients)

    def _meet(self, optimizer: Any, model: Any) -> None:
        """Tell of training that had begun before we came; only where its count is at hand."""
        self._met.add(id(optimizer))
        parts = static.setting(optimizer, "optimizers", [optimizer])
        self._inspection.at_our_cost(self._resumes, parts, model)

    def _resumes(self, parts: list[Any], model: Any) -> None:
        with QUIETLY:
            counts = [one.state["step"] for one in parts if "step" in one.state]
            if not lazy_graph.pending(counts) and any(int(one.item()) for one in counts):
                self._recorder.fact(Resumed(stream=self._recorder.stream(model)))

    def _module_update(self, original: Callable[..., Any]) -> Callable[..., Any]:
        inspection, nesting, recorder = self._inspection, self._nesting, self._recorder

        given = Given(original, "self", "parameters", "strict")

        @like(original)
        def update(*args: Any, **kwargs: Any) -> Any:
            recorder.reductions.taken = True
            if recorder.moves.listens:
                recorder.moves.filled = weak(args[0] if args else None)
            if nesting.depth and not (inspection.due or nesting.tracing):
                return original(*args, **kwargs)
            module, parameters, strict = given(args, kwargs)
            with recorder.carefully():
                if nesting.tracing:
                    nesting.tracing[-1].reach.fills(module, parameters)
                if not (recorder.gradients or nesting.depth or inspection.busy):
                    recorder.set_site = call_site.calling()
            if nesting.depth and not inspection.due:
                return original(*args, **kwargs)
            with recorder.carefully():
                if inspection.due or not nesting.depth:
                    self._is_set(module, parameters)
                if inspection.due and not nesting.depth:
                    recorder.set_sites[id(module)] = call_site.calling()
                    self._compare(module, partial(_named, parameters), strict=strict is not False, partial=True)
            taken = original(*args, **kwargs)
            if inspection.took is not None and not nesting.depth:
                with recorder.carefully():
                    inspection.took(module)
            return taken

        return update

    def _is_set(self, module: Any, parameters: Any) -> None:
        """Tell of a module that is about to be given parameters; its `state` is the module itself."""
        for tell in self._inspection.setting:
            tell(module)
        if parameters is module and self._recorder.updates:
            self._recorder.fact(UpdatedWithItself(of=type(module).__name__), call_site.calling())

    def _loads(self, event: CallEvent) -> None:
        module, weights = event["self"], event["file_or_weights"]
        strict = event["strict"] is not False
        with self._recorder.carefully():
            self._compare(module, lambda: _weights(weights), strict=strict, partial=False)
            self._recorder.loaded_into.add(id(module))
            if declared()[0] >= 0:
                self._recorder.fact(StateGiven(what="weights"))

    def _load(self, original: Callable[..., Any]) -> Callable[..., Any]:
        nesting = self._nesting

        def load(*args: Any, **kwargs: Any) -> Any:
            nesting.depth += 1  # it updates the module, with what has been compared now
            try:
                return original(*args, **kwargs)
            finally:
                nesting.depth -= 1

        return load

    def _compare(self, module: Any, given: Callable[[], dict[str, Any]], *, strict: bool, partial: bool) -> None:
        """Tell of weights that do not fit their module, unless they cannot be read: then the program finds out."""
        first = id(module) not in self._recorder.loaded_into

        def compare() -> None:
            with QUIETLY:
                found = differences(module, given(), strict=strict, partial=partial, first=first)
                if found is not None and not (partial and not found.extra):
                    self._recorder.fact(found)

        self._inspection.at_our_cost(compare)


def _weights(file_or_weights: Any) -> dict[str, Any]:
    import mlx.core as mx

    return mx.load(file_or_weights) if isinstance(file_or_weights, str) else dict(file_or_weights)


def _named(tree: Any) -> dict[str, Any]:
    return dict(lazy_graph.named_leaves(tree))


def _trees(args: tuple[Any, ...], kwargs: dict[str, Any], *, applies: bool) -> tuple[Any, Any]:
    """Return the model and the gradients among an update's arguments; `apply_gradients` takes them in turned order."""
    trees = args if not kwargs else (*args, *kwargs.values())
    if len(trees) != 2 or not static.is_a(trees[0], dict) or not static.is_a(trees[1], dict):
        trees = tuple(arg for arg in trees if static.is_a(arg, dict))
        if len(trees) != 2:
            return {}, {}
    return (trees[0], trees[1]) if applies else (trees[1], trees[0])
