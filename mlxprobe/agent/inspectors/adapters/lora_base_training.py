"""Whether the base weights of adapters are trained beside them, or in their place."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site, lora_detection
from mlxprobe.agent.introspection.lora_detection import Adapter
from mlxprobe.agent.patching import static
from mlxprobe.agent.replay.adapter_scale import adds
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.adapters import AdaptersFrozen, AdapterWithBase

MOST = 3  # adapters that are looked at
MADE = 4096  # modules of which is known where they were made
LOOKS = 8  # until nothing more is to be expected
SURE = 3  # looks


class Adapters(Inspector):
    """Compare a base that may be trained with what it was; then see whether the layer is an adapter at all."""

    emits = (AdapterWithBase, AdaptersFrozen)
    observes = (Observe("mlx.nn.layers.base.Module.__init__", "_makes", after=True),)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._model: bound.ref[Any] | None = None
        self._before: dict[str, list[list[float]]] = {}
        self._looks = 0
        self._idle = 0  # looks left at adapters that are frozen
        self._told = False
        self._made: dict[int, tuple[str, int]] = {}  # modules, and where each has been made

    def _makes(self, event: CallEvent) -> None:
        module, made = event["self"], self._made
        if not call_site.is_mlx(static.origin(module)):
            made.pop(id(module), None)
            made[id(module)] = call_site.making(type(module))
            if len(made) > MADE:
                del made[next(iter(made))]

    def began(self, model: Any, optimizer: Any) -> None:
        """Look at a model anew: it may have got adapters since another optimizer has trained it."""
        if not self._told:
            self._model, self._before = None, {}

    def training(self, model: Any, optimizer: Any) -> None:
        if self._model is None and static.is_module(model):
            self._model = bound.ref(model)
            self._looks = 0 if with_base(model) else LOOKS
            self._idle = SURE if frozen(model) else 0

    def look(self, step: int) -> None:
        model = self._model() if self._model is not None else None
        if model is not None and self._idle:
            self._look_at_frozen(model)
        if model is None or self._looks >= LOOKS:
            return
        self._looks += 1
        both = with_base(model)
        arrays = {one.path: [part.array for part in (one.base, *one.factors)] for one in both[:MOST]}
        if self.inspection.pending(lazy_graph.leaves(list(arrays.values()))):
            return
        before, self._before = self._before, {path: sampled(parts) for path, parts in arrays.items()}
        trained = [one for one in both[:MOST] if moved(before.get(one.path), self._before[one.path])]
        if trained and adds(trained[0], self.inspection.nesting) is not None:
            self._looks = LOOKS
            self._tell(both, alike(model, trained[0], both))

    def _look_at_frozen(self, model: Any) -> None:
        """Tell of adapters that are all frozen, and whose products are all zero: they add nothing, and never will."""
        idle = frozen(model)
        factors = [[part.array for part in one.factors] for one in idle]
        if not idle or self.inspection.pending(lazy_graph.leaves(factors)):
            return
        nothing = all(0.0 in map(lazy_graph.largest, pair) for pair in factors)
        self._idle = self._idle - 1 if nothing else 0
        if nothing and not self._idle and adds(idle[0], self.inspection.nesting) is not None:
            recorder = self.inspection.recorder
            site, seen = call_site.blamed(recorder.freeze_site, recorder.gradient_site)
            recorder.fact(
                AdaptersFrozen(
                    seen=seen,
                    count=len(idle),
                    paths=tuple(part.path for one in idle for part in one.factors)[:3],
                    trained=len(lazy_graph.leaves(model.trainable_parameters())),
                ),
                site,
            )

    def _tell(self, both: list[Adapter], more: list[dict[str, Any]]) -> None:
        self._told, ranks = True, [one.rank for one in both]
        made = self._made.get(id(both[0].holder), call_site.NOWHERE)
        site, seen = call_site.blamed(made, self.inspection.recorder.gradient_site)
        self.inspection.recorder.fact(
            AdapterWithBase(
                seen=seen,
                count=len(both) + len(more),
                bases=(*(one.base.path for one in both), *(next(iter(one)) for one in more))[:3],
                rank=" to ".join(str(one) for one in sorted({min(ranks), max(ranks)})),
                adapters=sum(int(part.array.size) for one in both for part in one.factors) + sum(sizes(more, 1, 3)),
                elements=sum(int(one.base.array.size) for one in both) + sum(sizes(more, 0, 1)),
            ),
            site,
        )


def with_base(model: Any) -> list[Adapter]:
    """List what has the form of an adapter and may be trained with its base."""
    trainable = {path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())}
    return [
        one for one in lora_detection.find(model) if {one.base.path, *(part.path for part in one.factors)} <= trainable
    ]


def alike(model: Any, proved: Adapter, known: list[Adapter]) -> list[dict[str, Any]]:
    """List a base and its factors, by path, of each further layer of an adapter's class: of a rank that is full."""
    start = len(proved.path) + 1 if proved.path else 0
    names = [one.path[start:] for one in (proved.base, *proved.factors)]
    trainable = dict(lazy_graph.named_leaves(model.trainable_parameters()))
    told = {id(one.holder) for one in known}
    others = [path for path, one in model.named_modules() if type(one) is type(proved.holder) and id(one) not in told]
    found = [{full: trainable.get(full) for name in names if (full := f"{path}.{name}".lstrip("."))} for path in others]
    return [one for one in found if all(array is not None for array in one.values())]


def sizes(layers: list[dict[str, Any]], first: int, last: int) -> list[int]:
    """Return how many elements some of each layer's arrays have."""
    return [int(array.size) for one in layers for array in list(one.values())[first:last]]


def frozen(model: Any) -> list[Adapter]:
    """List a model's adapters where neither they nor their bases may be trained, and something else may.

    Who trains the bases first has the adapters wait for it.
    """
    trainable = {path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())}
    found = lora_detection.find(model) if trainable else []
    return [] if any(part.path in trainable for one in found for part in (one.base, *one.factors)) else found


def sampled(arrays: list[Any]) -> list[list[float]]:
    """Read some elements of a base and its factors."""
    return [lazy_graph.numbers(lazy_graph.sample(one)) for one in arrays]


def moved(before: list[list[float]] | None, after: list[list[float]]) -> bool:
    """Tell whether a base has changed, and a factor of it."""
    return before is not None and before[0] != after[0] and before[1:] != after[1:]
