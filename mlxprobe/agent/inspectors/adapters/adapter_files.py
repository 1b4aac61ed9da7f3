"""With what scale an adapter's file was written, and what the layers that it is loaded into have."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent.code import sites
from mlxprobe.agent.code.paths import shortened
from mlxprobe.agent.graphs import graph
from mlxprobe.agent.looks import adapters
from mlxprobe.agent.looks.adapters import Adapter
from mlxprobe.agent.looks.declared import Declared, declared
from mlxprobe.agent.looks.inspection import Inspection
from mlxprobe.agent.looks.inspector import Inspector
from mlxprobe.agent.wire import bound, ranks
from mlxprobe.agent.wrapping import typed
from mlxprobe.agent.wrapping.arguments import like
from mlxprobe.agent.wrapping.given import Given
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

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._models: list[bound.ref[Any]] = []
        self._loaded: dict[int, tuple[bound.ref[Any], str]] = {}  # arrays that came from a file
        self._keys: dict[str, str] = {}  # the file that an array of this name was last in
        self._written: dict[str, Declared] = {}  # by this run
        self._taken: list[Taken] = []
        self._among_others = ranks.declared()[0] >= 0

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.core":
            module.load = self._load(module.load)
            for writer in ("save_safetensors", "savez", "savez_compressed"):
                setattr(module, writer, self._save(getattr(module, writer)))
        elif name == "mlx.nn.layers.base":
            module.Module.load_weights = self._takes(module.Module.load_weights)

    def training(self, model: Any, optimizer: Any) -> None:
        known = any(one() is model for one in self._models)
        if not known and len(self._models) < MODELS and typed.is_module(model):
            self._models.append(bound.ref(model))
        self._judge()

    def finish(self) -> None:
        self._judge()

    def _load(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "file")

        @like(original)
        def load(*args: Any, **kwargs: Any) -> Any:
            loaded, (file,) = original(*args, **kwargs), given(args, kwargs)
            if isinstance(file, (str, os.PathLike)) and not self.inspection.busy:
                path = os.path.abspath(os.fspath(file))
                self._loaded |= {id(one): (bound.ref(one), path) for one in graph.leaves(loaded)}
                self._keys |= dict.fromkeys(loaded, path) if typed.is_a(loaded, dict) else {}
                self.inspection.took = self._took  # which would cost each step of a program that loads nothing
            return loaded

        return load

    def _save(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "file")

        @like(original)
        def save(*args: Any, **kwargs: Any) -> Any:
            saved, (file,) = original(*args, **kwargs), given(args, kwargs)
            if isinstance(file, (str, os.PathLike)) and not self.inspection.busy:
                self._safely(lambda: self._note(os.path.abspath(os.fspath(file)), [*args, kwargs]))
            return saved

        return save

    def _note(self, path: str, given: Any) -> None:
        """Keep the scale of the layers whose factors have gone into a file."""
        self._written.pop(path, None)
        ids = {id(one) for one in graph.leaves(given)}
        models = [one() for one in self._models]
        if self._among_others and any(ids & {id(one) for one in graph.leaves(model)} for model in models):
            self.inspection.recorder.revise(WeightsWritten(path=shortened(path, LONG)), sites.calling())
        models = models if len(self._written) < FILES else []
        layers = [one for model in models for one in adapters.find(model) if part_of(one, ids)]
        if layers and (scales := effective(layers[0])):
            self._written[path] = Declared({"scale": min(scales)} if len(scales) == 1 else {}, "as this run saved it")

    def _takes(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "file_or_weights", "self")

        @like(original)
        def take(*args: Any, **kwargs: Any) -> Any:
            taken, (weights, module) = original(*args, **kwargs), given(args, kwargs)
            if (self._loaded or self._keys) and not (self.inspection.nesting.tracing or self.inspection.busy):
                pairs = typed.children(weights) if typed.is_a(weights, (list, tuple)) else []
                self._safely(lambda: self._follow(module, {name for name, _ in pairs} & self._keys.keys()))
            return taken

        return take

    def _took(self, module: Any) -> None:
        """A module was given parameters, by no gradient call or optimizer."""
        if self._loaded and not (self.inspection.nesting.tracing or self.inspection.busy):
            self._safely(lambda: self._follow(module, set()))

    def _safely(self, look: Callable[[], None]) -> None:
        with self.inspection.at_our_cost():
            try:
                look()
            except Exception:  # another form of file or layer: nothing is told of it
                return

    def _follow(self, module: Any, names: set[str]) -> None:
        """Remember the layers whose factors have just come from a file of whose scale something is told."""
        alive = {key: path for key, (one, path) in self._loaded.items() if one() is not None}
        found = adapters.find(module)
        layers = [one for one in found if part_of(one, alive.keys())]
        layers = layers or [one for one in found if {part.path for part in one.factors} <= names]
        if not layers:
            return
        left = layers[0].left
        path = alive.get(id(left.array)) or self._keys[left.path]  # one that was converted has its name alone
        self._loaded = {key: one for key, one in self._loaded.items() if key in alive and one[1] != path}
        if (wrote := self._written.get(path) or declared(path)) is not None:
            where = adapters.spaces(layers[0].holder)
            said = adapters.named_scales(where)
            self._taken.append(Taken(path, wrote, len(layers), where, said, effective(layers[0]), sites.calling()))

    def _judge(self) -> None:
        """Tell of scales that no reading of what was written agrees with; a scale may have been set since."""
        taken, self._taken = self._taken, []
        for one in taken:
            now = adapters.named_scales(one.where)
            has = one.does if now == one.said else adapters.readings(now)
            wrote = adapters.readings(one.wrote.names)
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


def part_of(adapter: Adapter, ids: Any) -> bool:
    """Tell whether both factors of an adapter are among these arrays."""
    return all(id(part.array) in ids for part in adapter.factors)


def effective(adapter: Adapter) -> set[float]:
    """Return the scale that a layer works with, as measured; what it says of it where that cannot be."""
    measured = adapters.adds(adapter)
    if measured is not None:
        return {measured}
    return adapters.readings(adapters.named_scales(adapters.spaces(adapter.holder)), adapter.rank)
