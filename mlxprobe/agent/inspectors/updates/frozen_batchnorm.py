"""Whether what is frozen changes all the same: batch statistics that go on in training mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.models import FrozenStatisticsMoved

MOST = 4  # layers that are looked at
SURE, FAR = 2, 1.0  # looks, and standard deviations
TINY = 1e-12


class First:
    """What a layer of batch normalisation held when it was frozen, or at the first look after."""

    def __init__(self, values: list[list[float]]) -> None:
        self.mean, self.variance, *self.weights = values
        self.looks = self.far = 0

    def is_new(self) -> bool:
        """Tell whether the statistics are those that a layer is made with: of a fixed random module."""
        return not any(self.mean) and all(one == 1.0 for one in self.variance)

    def moved(self, mean: list[float]) -> float:
        """Return by how many of its standard deviations the mean has moved: the median of all channels."""
        apart = [
            abs(now - then) / math.sqrt(variance + TINY)
            for now, then, variance in zip(mean, self.mean, self.variance, strict=True)
        ]
        return sorted(apart)[len(apart) // 2]


class Drifts(Inspector):
    """Follow the running means of frozen batch normalisation, as long as it is frozen and its weights stay."""

    emits = (FrozenStatisticsMoved,)
    observes = (Observe("mlx.nn.layers.base.Module.freeze", "_freezes"),)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._model: Callable[[], Any] = lambda: None
        self._site = call_site.NOWHERE
        self._first: dict[int, First | None] = {}  # by layer; None for one that is trained again, or changed
        self._frozen: dict[int, list[Any]] = {}  # by layer, the arrays that it was frozen with
        self._told = False

    def _freezes(self, event: CallEvent) -> None:
        if not event["keys"]:  # such as a layer's own, when it is made
            every = event["self"].modules()
            layers = [one for one in every if normalises(one) and one.trainable_parameters()][:MOST]
            self._frozen |= {id(one): arrays_of(one) for one in layers}

    def called(self, call: Call) -> None:
        if call.model is not None:
            self._model, self._site = bound.ref(call.model), call.site

    def training(self, model: Any, optimizer: Any) -> None:
        if static.is_module(model):
            self._model, self._site = bound.ref(model), self.inspection.recorder.gradient_site

    def look(self, step: int) -> None:
        model = self._model()
        if model is None or self._told:
            return
        layers = [(path, one) for path, one in model.named_modules() if normalises(one)]
        for _, one in layers:
            if id(one) in self._first and one.trainable_parameters():
                self._first[id(one)] = None
        frozen = [
            (path, one)
            for path, one in layers
            if one.training and not one.trainable_parameters() and self._first.get(id(one), one) is not None
        ][:MOST]
        for path, one in frozen:
            now, then = arrays_of(one), self._frozen.pop(id(one), [])
            if not self.inspection.pending([*now, *then]):
                self._first.setdefault(id(one), First(lazy_graph.numbers_each(then or now)))
                self._follow(path, one, lazy_graph.numbers_each(now))

    def finish(self) -> None:
        self.look(self.inspection.recorder.step)

    def _follow(self, path: str, layer: Any, values: list[list[float]]) -> None:
        first = self._first[id(layer)]
        if first is not None and first.weights != values[2:] and not first.looks:
            first = self._first[id(layer)] = First(values)  # loaded since
        if first is None or first.is_new() or first.weights != values[2:]:
            self._first[id(layer)] = None
            return
        moved, first.looks = first.moved(values[0]), first.looks + 1
        first.far += moved > FAR
        if first.far >= SURE and not self._told:
            self._told = True
            site, seen = call_site.blamed(self.inspection.recorder.freeze_site, self._site)
            self.inspection.recorder.fact(FrozenStatisticsMoved(path=path, moved=moved, seen=seen), site)


def arrays_of(layer: Any) -> list[Any]:
    """Return a layer's statistics and its weights."""
    return [layer.running_mean, layer.running_var, layer.weight, layer.bias]


def normalises(module: Any) -> bool:
    """Tell whether a module is batch normalisation that has weights and keeps statistics."""
    from mlx import nn

    return static.is_a(module, nn.BatchNorm) and "weight" in module and "running_mean" in module
