"""How a model's modules are set and written to: overwritten parameters, the mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.models import DroppedOut, EvaluationMode, LastBatch, ParameterOverwritten

IN_PLACE = ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__")
MANY_WRITES = 64  # writes that are asked about
SURE = 3  # looks
MANY = 32  # parameters that are looked behind
LITTLE = 0.25  # of the elements that are kept
DROPOUT = ("Dropout", "Dropout2d", "Dropout3d")
KEPT, ASKED = 16, 256  # calls for evaluation mode; of them, those after which the next step may be sampled
MOSTLY_NEW = 0.5  # of the running statistics, which MLX calls momentum
Idle = dict[str, dict[str, int]]  # by kind, the modules that are in evaluation mode, by path


class Modules(Inspector):
    """Look at the modules of the model that a gradient is taken of."""

    emits = (DroppedOut, EvaluationMode, LastBatch, ParameterOverwritten)
    observes = (
        Observe("mlx.nn.layers.base.Module.train", "_sets_mode"),
        Observe("mlx.nn.layers.normalization.BatchNorm.__init__", "_made", after=True),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._modes: dict[str, int] = {}  # looks
        self._site = ("", 0)  # of the last gradient call in a trace
        self._traced: dict[int, tuple[Idle, tuple[str, int]]] = {}  # by model: idle when traced, where
        self._writes = Writes()
        self._written = 0  # looks
        self._dropping: set[int] = set()  # models that were asked how much of their elements they drop
        self._model: Callable[[], Any] = lambda: None
        self._clean = False
        self._hasty: list[
            tuple[Callable[[], Any], tuple[str, int]]
        ] = []  # batch normalisations, and where each is made
        self._asked = 0
        self._set: list[tuple[Callable[[], Any], tuple[str, int]]] = []  # to evaluation mode: what, and where

    def _made(self, event: CallEvent) -> None:
        layer = event["self"]
        if static.is_a(layer.momentum, (int, float)) and layer.momentum > MOSTLY_NEW:
            self._hasty.append((bound.ref(layer), call_site.making(type(layer))))

    def _sets_mode(self, event: CallEvent) -> None:
        if event["mode"] is not None and not event["mode"]:
            self._set = [*self._set[1 - KEPT :], (bound.ref(event["self"]), call_site.calling())]
            if not event.state & OURS and self._asked < ASKED:
                self._asked += 1
                self.inspection.ask(self._is_idle)

    def _is_idle(self) -> bool:
        """Tell whether the model is still in evaluation mode, and that is not known yet."""
        model = self._model()
        found = {} if model is None else idle(model)
        return any(self._modes.get(kind, 0) < SURE for kind in found)

    def calling(self) -> None:
        """See whether the parameters are evaluated."""
        model = self._model()
        lazy = model is None or self.inspection.recorder.lazy_steps > 0
        self._clean = not lazy and not self.inspection.pending(lazy_graph.leaves(model.trainable_parameters())[:MANY])
        if self._written == 1 and model is not None:
            self._writes.follow(model)

    def called(self, call: Call) -> None:
        """Look at the model between its gradients and its update."""
        self._writes.stop()
        if call.model is None:
            return
        self._clean = self._clean and self._model() is call.model
        self._model = bound.ref(call.model)
        self._tell_overwritten(call)
        self._tell_dropped(call.model, call.site)
        self._count_modes(idle(call.model), call.site)

    def called_in_trace(self, call: Call) -> None:
        self._site = call.site

    def traced(self, model: Any, gradients: Any) -> None:
        """A compiled step runs in the mode that it was traced in, whatever the model's is by then."""
        if static.is_module(model):
            self._traced[id(model)] = idle(model), self._site
            self._tell_dropped(model, self._site)

    def training(self, model: Any, optimizer: Any) -> None:
        self._count_modes(*self._traced.get(id(model), ({}, self._site)))

    def look(self, step: int) -> None:
        """A gradient call that raised has not come back."""
        self._writes.stop()

    def finish(self) -> None:
        self._writes.stop()

    def _count_modes(self, idle_: Idle, site: tuple[str, int]) -> None:
        for kind, modules in idle_.items():
            self._modes[kind] = self._modes.get(kind, 0) + 1
            self.inspection.wanted = self.inspection.wanted or self._modes[kind] < SURE
            if self._modes[kind] == SURE:
                place, seen = call_site.blamed(self._since(set(modules.values())), site)
                paths = tuple(modules)[:5]
                self.inspection.recorder.fact(EvaluationMode(kind=kind, paths=paths, seen=seen), place)

    def _tell_dropped(self, model: Any, site: tuple[str, int]) -> None:
        """Tell once of dropout that leaves next to nothing: where a layer is an attribute, at the line that sets it."""
        if id(model) in self._dropping:
            return
        self._dropping.add(id(model))
        self._tell_hasty(model)
        kept = {path: keeps(one) for path, one in model.named_modules() if type(one).__name__ in DROPOUT}
        paths = [path for path, share in kept.items() if 0 < share <= LITTLE]
        if paths:
            with isolated_import.importable():
                from mlxprobe.agent.introspection import blame
            above, _, attribute = paths[0].rpartition(".")
            parent = dict(model.named_modules()).get(above, model)
            place, seen = call_site.blamed(blame.assignment(parent, attribute, site[0]), site)
            least = min(kept[path] for path in paths)
            self.inspection.recorder.fact(DroppedOut(paths=tuple(paths[:5]), kept=least, seen=seen), place)

    def _tell_hasty(self, model: Any) -> None:
        """Tell of batch normalisation whose running statistics are hardly more than those of the last batch."""
        paths = {id(one): path for path, one in model.named_modules() if "running_mean" in one}
        for made, site in self._hasty:
            layer = made()
            if id(layer) in paths and layer.training and layer.momentum > MOSTLY_NEW:
                self.inspection.recorder.fact(LastBatch(path=paths[id(layer)], momentum=layer.momentum), site)

    def _since(self, modules: set[int]) -> tuple[str, int]:
        """Return the line that last called for evaluation mode of what holds any of these modules."""
        known = [(made(), site) for made, site in reversed(self._set)]
        holds = (site for one, site in known if one is not None and modules & set(map(id, one.modules())))
        return next(holds, call_site.NOWHERE)

    def _tell_overwritten(self, call: Call) -> None:
        """Look behind parameters that were evaluated before the call: nothing but MLX's own copy is there to be."""
        if not self._clean or self.inspection.recorder.lazy_steps:
            return
        arrays = {f"a{k}": one for k, one in enumerate(lazy_graph.leaves(call.model.trainable_parameters())[:MANY])}
        drawn = LossGraph(lazy_graph.dot(**arrays))
        paths = [path for path, _ in lazy_graph.named_leaves(call.model.trainable_parameters())[:MANY]]
        written = [path for path, name in zip(paths, arrays, strict=True) if drawn.operation(name)]
        written = [path for path in written if not path.endswith(lazy_graph.STATISTICS)]  # a layer's own, if unfrozen
        if not written:
            return
        self._written += 1
        if self._written == 1:
            self.inspection.wanted = True
        elif self._written == SURE - 1:
            cause = next(
                (self._writes.sites[path] for path in written if path in self._writes.sites), call_site.NOWHERE
            )
            site, seen = call_site.blamed(cause, call.site)
            self.inspection.recorder.fact(ParameterOverwritten(paths=tuple(written[:5]), seen=seen), site)


def idle(model: Any) -> Idle:
    """List by kind what is in evaluation mode and would do something else in training: dropout, unfrozen statistics."""
    from mlx import nn

    found: Idle = {}
    for path, module in model.named_modules():
        if static.is_a(module, (nn.Dropout, nn.Dropout2d, nn.Dropout3d)):
            if not module.training and keeps(module) < 1:
                found.setdefault("dropout", {})[path] = id(module)
        elif static.is_a(module, nn.BatchNorm) and not module.training and module.trainable_parameters():
            found.setdefault("batch normalisation", {})[path] = id(module)
    return found


def keeps(dropout: Any) -> float:
    """Return the share of elements that a dropout layer keeps."""
    return float(getattr(dropout, "_p_1", 1.0))


class Writes:
    """The first line that has written into each parameter of a model, by path."""

    def __init__(self) -> None:
        self.sites: dict[str, tuple[str, int]] = {}
        self._model: Any = None
        self._left = 0
        self._loans = Loans()

    def follow(self, model: Any) -> None:
        """Wrap what writes."""
        import mlx.core as mx

        self.stop()
        self._model, self._left, self.sites = model, MANY_WRITES, {}
        for name in IN_PLACE:
            if name in vars(mx.array):
                self._wrap(mx.array, name, self._in_place)
        base = next(kind for kind in type(model).__mro__ if kind.__module__ == "mlx.nn.layers.base")
        self._wrap(base, "__setattr__", self._attribute)

    def stop(self) -> None:
        """Give back what was wrapped."""
        self._model = None
        self._loans.give_back()

    def _wrap(self, owner: Any, name: str, wrapped: Callable[[Any], Any]) -> None:
        self._loans.replace(owner, name, lambda original: like(original)(wrapped(original)))

    def _in_place(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def write(array: Any, *args: Any) -> Any:
            self._note(lambda one: one is array)
            return original(array, *args)

        return write

    def _attribute(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def write(module: Any, key: str, value: Any) -> Any:
            before = module.get(key) if static.is_array(value) else None
            if before is not None and before is not value:
                self._note(lambda one: one is before)
            return original(module, key, value)

        return write

    def _note(self, wanted: Callable[[Any], bool]) -> None:
        if self._model is None or not self._left:
            return
        self._left -= 1
        for path, one in lazy_graph.named_leaves(self._model.trainable_parameters()):
            if wanted(one):
                self.sites.setdefault(path, call_site.calling())
