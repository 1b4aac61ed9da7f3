"""What an update is given beside what is to be trained."""

from __future__ import annotations

import sys
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.gradients import GradientMissing
from mlxprobe.protocol.facts.models import ModulesUnowned
from mlxprobe.protocol.facts.updates import FrozenChanged, FrozenUpdated

MISSING_IS_SURE = 4
FROZEN = 6


class Frozen(Inspector):
    """Compare the gradients that an optimizer gets with the model's trainable parameters."""

    emits = (FrozenChanged, FrozenUpdated, GradientMissing, ModulesUnowned)
    observes = (
        Observe("mlx.nn.layers.base.Module.freeze", "_freezes"),
        Observe("mlx.nn.layers.base.Module.unfreeze", "_unfreezes"),
        Observe("mlx.nn.layers.base.Module.unfreeze", "_unfroze", after=True),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._given: dict[int, tuple[int, set[str]]] = {}  # model: updates, and every path that they were given
        self._told: set[int] = set()
        self._model: bound.ref[Any] | None = None
        self._frozen: dict[str, list[float]] = {}
        self._trained = 0  # parameters of what is about to be unfrozen
        self._tree: dict[str, Any] = {}  # what an optimizer was given to update, with gradients: no model
        self._tree_site = self._site = call_site.NOWHERE
        self._held: dict[str, Any] = {}  # gradients of what is frozen, that an optimizer was given
        self._reported = False  # whether any of them was not zero
        self._decays = False  # whether it changes what has a gradient of zero, too
        self._differentiated: set[str] = set()  # what gradients were taken of: averages and statistics are not

    def _freezes(self, event: CallEvent) -> None:
        """Remember where somebody has frozen something last; quantised layers freeze themselves."""
        if is_users(event):
            recorder = self.inspection.recorder
            recorder.freeze_site, recorder.idle_unfreeze = call_site.calling(), call_site.NOWHERE

    def _unfreezes(self, event: CallEvent) -> None:
        """Forget what was frozen: it may be trained now, and frozen again."""
        self._frozen = {}
        if is_users(event):
            self._trained = trained(event["self"])

    def _unfroze(self, event: CallEvent) -> None:
        """Remember where that has opened nothing."""
        if is_users(event):
            opened = trained(event["self"]) > self._trained
            self.inspection.recorder.idle_unfreeze = call_site.NOWHERE if opened else call_site.calling()

    def look(self, step: int) -> None:
        """See what becomes of frozen parameters."""
        held, self._held = self._held, {}
        if held and not self.inspection.pending(list(held.values())):
            sizes = dict(zip(held, lazy_graph.largest_each(list(held.values())), strict=True))
            self._tell([path for path, size in sizes.items() if size or self._moves_anyway(path)])
        self._compare()

    def _moves_anyway(self, path: str) -> bool:
        """Return whether an update changes a parameter whose gradient is zero; statistics are counted again."""
        return self._decays and not path.endswith(lazy_graph.STATISTICS)

    def _tell(self, frozen: list[str]) -> None:
        if frozen:
            self._reported = True
            self.inspection.recorder.fact(FrozenUpdated(paths=tuple(frozen[:5]), count=len(frozen)), self._site)

    def _compare(self) -> None:
        """Compare a few frozen parameters with what they were; batch statistics are meant to change."""
        model = self._model() if self._model is not None else None
        if model is None:
            return
        trainable = {path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())}
        every = [
            (path, one)
            for path, one in lazy_graph.named_leaves(model.parameters())
            if path not in trainable and not path.endswith(lazy_graph.STATISTICS) and one.size
        ]
        frozen = every[:FROZEN]
        tree, self._tree = self._tree, {}
        if not frozen or self.inspection.pending([one for _, one in frozen]):
            return
        some = lazy_graph.numbers_each([lazy_graph.sample(one) for _, one in frozen])
        values = dict(zip([path for path, _ in frozen], some, strict=True))
        changed = [path for path in values if path in self._frozen and values[path] != self._frozen[path]]
        changed = [path for path in changed if any(f".{one}".endswith(f".{path}") for one in self._differentiated)]
        self._frozen = values
        recorder = self.inspection.recorder
        if changed and self._are_of(tree, {path: values[path] for path in changed}):
            count = sum(one in tree for one, _ in every)
            recorder.fact(FrozenUpdated(paths=tuple(changed[:5]), count=count), self._tree_site)
        elif changed:
            site = recorder.set_sites.get(id(model), recorder.gradient_site)
            recorder.fact(FrozenChanged(paths=tuple(changed)), site)

    def _are_of(self, tree: dict[str, Any], values: dict[str, list[float]]) -> bool:
        """Tell whether an optimizer's tree has the very values that a model has: a teacher's are others."""
        held = [tree[path] for path in values if path in tree]
        if len(held) < len(values) or self.inspection.pending(held):
            return False
        return lazy_graph.numbers_each([lazy_graph.sample(one) for one in held]) == list(values.values())

    def forget(self) -> None:
        self._tree, self._held = {}, {}

    def called(self, call: Call) -> None:
        self._differentiated |= {path for path, _ in lazy_graph.named_leaves(call.parameters)}
        if call.model is not None and self._model is None and (hidden := unowned(call.model)):
            self.inspection.recorder.fact(ModulesUnowned(paths=tuple(hidden[:5]), count=len(hidden)), call.site)
        if call.model is not None:
            self._model = bound.ref(call.model)
        if call.model is not None and not lazy_graph.named_leaves(call.model.trainable_parameters()):
            self.inspection.recorder.nothing_trainable(call.site)

    def called_in_trace(self, call: Call) -> None:
        self.called(call)

    def traced(self, model: Any, gradients: Any) -> None:
        """Read off the graph which gradients are zeros that depend on nothing: their arrays have no values."""
        self.updating(model, self.inspection.nesting.tracing[-1].updated[-1].optimizer, gradients)
        names = {f"g{k}": path for k, path in enumerate(self._held)}
        drawn = LossGraph(lazy_graph.dot(**dict(zip(names, self._held.values(), strict=True)))) if names else None
        self._held = {}
        self._tell(
            [path for name, path in names.items() if not (drawn and drawn.is_filled(name)) or self._moves_anyway(path)]
        )

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        base = sys.modules.get("mlx.nn.layers.base")
        if base is None or not static.is_a(model, base.Module):
            given = {path for path, _ in lazy_graph.named_leaves(gradients)}
            self._tree = {path: one for path, one in lazy_graph.named_leaves(model) if path in given}
            self._tree_site = call_site.calling()
            return
        given = {path for path, _ in lazy_graph.named_leaves(gradients)}
        trainable = {path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())}
        every = {path for path, _ in lazy_graph.named_leaves(model.parameters())}
        if (frozen := given & every - trainable) and not self._reported:
            self._held = {path: one for path, one in lazy_graph.named_leaves(gradients) if path in frozen and one.size}
            self._site, self._decays = call_site.calling(), bool(getattr(optimizer, "weight_decay", 0.0))
        if not trainable:
            self.inspection.recorder.nothing_trainable(self.inspection.recorder.gradient_site)
        updates, known = self._given.get(id(model), (0, set()))
        self._given[id(model)] = updates + 1, known | given
        missing = sorted(trainable - known - given)
        if missing and updates + 1 >= MISSING_IS_SURE and id(model) not in self._told:
            self._told.add(id(model))
            self.inspection.recorder.fact(GradientMissing(paths=tuple(missing[:5]), count=len(missing)))


def is_users(event: CallEvent) -> bool:
    """Tell whether somebody's code has called a function, and not MLX's."""
    frame = event.caller()
    return frame is not None and call_site.is_users(frame.f_code.co_filename)


def trained(module: Any) -> int:
    """Count the parameters of a module that are to be trained."""
    return len(lazy_graph.leaves(module.trainable_parameters()))


def unowned(model: Any) -> list[str]:
    """List attributes that hold modules which MLX does not take for children: in a tuple, or behind an underscore."""
    found = []
    for path, module in model.named_modules():
        for name, value in module.items():
            held = static.children(value) if static.is_a(value, (list, tuple)) else [value]
            hides = static.is_a(value, tuple) or name.startswith("_")
            if hides and any(static.is_module(one) and lazy_graph.leaves(one.parameters()) for one in held):
                found.append(f"{path}.{name}".lstrip("."))
    return found
