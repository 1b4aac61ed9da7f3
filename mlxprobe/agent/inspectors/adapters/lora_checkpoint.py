"""With what scale an adapter's file was written, and what the layers that it is loaded into have."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS, TRACE
from mlxprobe.agent.introspection import call_site, lora_detection
from mlxprobe.agent.introspection.lora_config import Declared, declared
from mlxprobe.agent.introspection.lora_detection import Adapter
from mlxprobe.agent.introspection.paths import shortened
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.replay.adapter_scale import adds
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound, ranks
from mlxprobe.protocol.facts.adapters import AdapterScale
from mlxprobe.protocol.facts.ranks import WeightsWritten

MODELS = 4
FILES = 8  # that are written and measured
NEAR = 0.02
LONG = 400  # characters


class Taken(NamedTuple):
    """Layers that have taken an adapter's file; where they keep their scale is read anew when they are used."""

    file: str
    wrote: Declared
    layers: int
    where: list[dict[str, Any]]
    said: dict[str, float]
    does: set[float]
    site: tuple[str, int]


class AdapterFiles(Inspector):
    """Compare what is told of a file's scale with the layers, at the first step that uses them or at the end."""

    emits = (AdapterScale, WeightsWritten)
    observes = (
        Observe("mlx.core.load", "_load", after=True, never=OURS),
        Observe("mlx.core.save_safetensors", "_save", after=True, never=OURS),
        Observe("mlx.core.savez", "_save", after=True, never=OURS),
        Observe("mlx.core.savez_compressed", "_save", after=True, never=OURS),
        Observe("mlx.nn.layers.base.Module.load_weights", "_take", after=True, never=OURS | TRACE),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._models: list[bound.ref[Any]] = []
        self._loaded: dict[int, tuple[bound.ref[Any], str]] = {}  # arrays that came from a file
        self._keys: dict[str, str] = {}  # the file that an array of this name was last in
        self._written: dict[str, Declared] = {}  # by this run
        self._taken: list[Taken] = []
        self._among_others = ranks.declared()[0] >= 0

    def training(self, model: Any, optimizer: Any) -> None:
        known = any(one() is model for one in self._models)
        if not known and len(self._models) < MODELS and static.is_module(model):
            self._models.append(bound.ref(model))
        self._judge()

    def finish(self) -> None:
        self._judge()

    def _load(self, event: CallEvent) -> None:
        file, loaded = event["file"], event.result
        if isinstance(file, (str, os.PathLike)):
            path = os.path.abspath(os.fspath(file))
            self._loaded |= {id(one): (bound.ref(one), path) for one in lazy_graph.leaves(loaded)}
            self._keys |= dict.fromkeys(loaded, path) if static.is_a(loaded, dict) else {}
            self.inspection.took = self._took  # which would cost each step of a program that loads nothing

    def _save(self, event: CallEvent) -> None:
        file = event["file"]
        if isinstance(file, (str, os.PathLike)):
            path = os.path.abspath(os.fspath(file))
            self.inspection.at_our_cost(self._note, path, [*event.args, event.kwargs])

    def _note(self, path: str, given: Any) -> None:
        """Keep the scale of the layers whose factors have gone into a file."""
        self._written.pop(path, None)
        ids = {id(one) for one in lazy_graph.leaves(given)}
        models = [one() for one in self._models]
        if self._among_others and any(ids & {id(one) for one in lazy_graph.leaves(model)} for model in models):
            self.inspection.recorder.revise(WeightsWritten(path=shortened(path, LONG)), call_site.calling())
        models = models if len(self._written) < FILES else []
        layers = [one for model in models for one in lora_detection.find(model) if part_of(one, ids)]
        if layers and (scales := effective(layers[0], self.inspection.nesting)):
            self._written[path] = Declared({"scale": min(scales)} if len(scales) == 1 else {}, "as this run saved it")

    def _take(self, event: CallEvent) -> None:
        if self._loaded or self._keys:
            weights = event["file_or_weights"]
            pairs = static.children(weights) if static.is_a(weights, (list, tuple)) else []
            names = {name for name, _ in pairs} & self._keys.keys()
            self.inspection.at_our_cost(self._follow, event["self"], names)

    def _took(self, module: Any) -> None:
        """A module was given parameters, by no gradient call or optimizer."""
        if self._loaded and not (self.inspection.nesting.tracing or self.inspection.busy):
            self.inspection.at_our_cost(self._follow, module, set())

    def _follow(self, module: Any, names: set[str]) -> None:
        """Remember the layers whose factors have just come from a file of whose scale something is told."""
        alive = {key: path for key, (one, path) in self._loaded.items() if one() is not None}
        found = lora_detection.find(module)
        layers = [one for one in found if part_of(one, alive.keys())]
        layers = layers or [one for one in found if {part.path for part in one.factors} <= names]
        if not layers:
            return
        left = layers[0].left
        path = alive.get(id(left.array)) or self._keys[left.path]  # one that was converted has its name alone
        self._loaded = {key: one for key, one in self._loaded.items() if key in alive and one[1] != path}
        if (wrote := self._written.get(path) or told(path)) is not None:
            where = lora_detection.spaces(layers[0].holder)
            said = lora_detection.named_scales(where)
            self._taken.append(
                Taken(
                    path,
                    wrote,
                    len(layers),
                    where,
                    said,
                    effective(layers[0], self.inspection.nesting),
                    call_site.calling(),
                )
            )

    def _judge(self) -> None:
        """Tell of scales that no reading of what was written agrees with; a scale may have been set since."""
        taken, self._taken = self._taken, []
        for one in taken:
            now = lora_detection.named_scales(one.where)
            has = one.does if now == one.said else lora_detection.readings(now)
            wrote = lora_detection.readings(one.wrote.names)
            if has and wrote and not any(abs(a - b) <= NEAR * abs(b) for a in has for b in wrote):
                self.inspection.recorder.fact(
                    AdapterScale(
                        file=os.path.basename(one.file),
                        wrote=", ".join(f"{name} {value:g}" for name, value in one.wrote.names.items()),
                        source=one.wrote.source,
                        has=" or ".join(f"{value:.4g}" for value in sorted(has)),
                        layers=one.layers,
                    ),
                    one.site,
                )


def told(path: str) -> Declared | None:
    """Read what is told of a file's scale; nothing of a file that is gone, or has another form."""
    try:
        return declared(path)
    except (OSError, ValueError):
        return None


def part_of(adapter: Adapter, ids: Any) -> bool:
    """Tell whether both factors of an adapter are among these arrays."""
    return all(id(part.array) in ids for part in adapter.factors)


def effective(adapter: Adapter, nesting: Nesting) -> set[float]:
    """Return the scale that a layer works with, as measured; what it says of it where that cannot be."""
    measured = adds(adapter, nesting)
    if measured is not None:
        return {measured}
    return lora_detection.readings(lora_detection.named_scales(lora_detection.spaces(adapter.holder)), adapter.rank)
