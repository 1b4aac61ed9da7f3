"""Whether the units of a layer are all alike, and stay so, and whether the layers of a list are all one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.protocol.facts.models import OneLayer, UnitsAlike

MOST, LARGE = 4, 1 << 20  # matrices, and their elements
FEWEST = 3  # units: two may be meant to be alike
ALIKE = 1e-3  # of what a unit has learned: by so little do they differ
SURE, LOOKS = 4, 24


class Units(Inspector):
    """Compare the rows of a few matrices of weights with their first, at the looks at which they have moved."""

    emits = (OneLayer, UnitsAlike)
    shadows = True
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._first: dict[str, list[float]] = {}  # the first row of a matrix, at the first look
        self._alike: dict[str, int] = {}
        self._looks = 0
        self._met: dict[int, int] = {}  # the last step at which a model was looked at
        self._told = False
        self._searched: set[int] = set()  # models whose lists were looked through
        self._shared = Shared()

    def calling(self) -> None:
        self._shared.follow()

    def called(self, call: Call) -> None:
        for place, told in self._shared.leave():
            self.inspection.recorder.revise(told, place)
        if call.model is not None:
            self._tell_one_layer(call.model, call.site)
            self._compare(call.model, call.site)

    def called_in_trace(self, call: Call) -> None:
        if call.model is not None:
            self._tell_one_layer(call.model, call.site)

    def _tell_one_layer(self, model: Any, site: tuple[str, int]) -> None:
        """Tell once of each list of a model whose entries are one and the same layer, where the program sets it."""
        if id(model) in self._searched:
            return
        self._searched.add(id(model))
        for path, entries in one_layer(model)[:MOST]:
            place, seen = call_site.blamed(set_at(model, path, site[0]), site)
            told = OneLayer(path=path, places=len(entries), kind=type(entries[0]).__name__, seen=seen)
            self.inspection.recorder.fact(told, place)
            self._shared.add(entries[0], place, told)

    def training(self, model: Any, optimizer: Any) -> None:
        if static.is_module(model):
            self._compare(model, self.inspection.recorder.gradient_site)

    def _compare(self, model: Any, site: tuple[str, int]) -> None:
        step = self.inspection.recorder.step + 1
        if self._looks >= LOOKS or not is_landmark(step) or self._met.get(id(model)) == step:
            return
        self._met[id(model)] = step
        named = [
            (f"{id(model)} {path}", one)
            for path, one in lazy_graph.named_leaves(model.trainable_parameters())
            if one.ndim > 1 and one.shape[0] >= FEWEST and one.size <= LARGE
        ][:MOST]
        if not named or self.inspection.pending([one for _, one in named], copies=False):
            return
        self._looks += 1
        for path, one in named:
            self._follow(path, one)
        alike = [path for path in self._alike if self._alike[path] >= SURE]
        if alike and not self._told:
            self._told = True
            shape = next(tuple(one.shape) for path, one in named if path in alike)
            made, seen = call_site.blamed(self.inspection.recorder.set_site, site)
            path, looks = alike[0].partition(" ")[2], self._alike[alike[0]]
            self.inspection.recorder.fact(UnitsAlike(path=path, units=shape[0], looks=looks, seen=seen), made)

    def _follow(self, path: str, one: Any) -> None:
        """Count the looks at which all rows were alike and had moved; one that is not, and it is over."""
        import mlx.core as mx

        row = one[0].reshape(-1).astype(mx.float32)
        spread = lazy_graph.number(mx.max(mx.abs(one - one[:1])))
        values = lazy_graph.numbers(lazy_graph.sample(row))
        first = self._first.setdefault(path, values)
        moved = max((abs(now - then) for now, then in zip(values, first, strict=False)), default=0.0)
        if moved > 0:
            self._alike[path] = self._alike.get(path, 0) + 1 if spread <= ALIKE * moved else -LOOKS


class Shared:
    """Layers that stand at several places, each followed through one gradient call: whether its inputs are one."""

    def __init__(self) -> None:
        self._layers: list[tuple[Any, call_site.Site, OneLayer]] = []
        self._loans = Loans()  # what their classes are called by
        self._given: list[tuple[Any, Any]] = []  # layers, with what each was called with

    def add(self, layer: Any, place: call_site.Site, told: OneLayer) -> None:
        """Follow one through the next call."""
        self._layers.append((layer, place, told))

    def follow(self) -> None:
        """Listen to their classes."""
        for kind in {type(layer) for layer, _, _ in self._layers}:
            if "__call__" in vars(kind):
                self._loans.replace(kind, "__call__", self._heard)

    def _heard(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            self._given += [(layer, args[0])] if args else []
            return original(layer, *args, **kwargs)

        return __call__

    def leave(self) -> list[tuple[call_site.Site, OneLayer]]:
        """Give their classes back; tell of those that were called with one input more than once, and how often."""
        followed = bool(self._loans.names)
        self._loans.give_back()
        times = Counter((id(layer), id(one)) for layer, one in self._given)
        most = [
            max([count for (of, _), count in times.items() if of == id(one)], default=0) for one, _, _ in self._layers
        ]
        found = [
            (place, OneLayer(**told.as_given(), same=same))
            for (_, place, told), same in zip(self._layers, most, strict=True)
            if same > 1
        ]
        self._layers, self._given = ([] if followed else self._layers), []
        return found


def one_layer(model: Any) -> list[tuple[str, list[Any]]]:
    """List what a model holds lists of that are one module with weights, at all their places."""
    return [
        (f"{path}.{key}".lstrip("."), held)
        for path, module in model.named_modules()
        for key, held in module.items()
        if static.is_a(held, list) and len(held) > 1 and all(one is held[0] for one in held)
        if static.is_module(held[0]) and lazy_graph.leaves(held[0].trainable_parameters())
    ]


def set_at(model: Any, path: str, file: str) -> tuple[str, int]:
    """Return the line that sets what a path leads to, or the first container around it that no class of MLX's holds."""
    with isolated_import.importable():
        from mlxprobe.agent.introspection import blame
    named = dict(model.named_modules())
    while path:
        above, _, attribute = path.rpartition(".")
        parent = named.get(above)
        if parent is not None and not type(parent).__module__.startswith("mlx."):
            return blame.assignment(parent, attribute, file)
        path = above
    return call_site.NOWHERE
