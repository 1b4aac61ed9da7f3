"""Files that are loaded, and whether what was in them reaches the model and the optimizer."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.files import (
    LoadedUntrained,
    LoadedUnused,
    OptimizerStateNotSaved,
    OptimizerStateUnread,
    OptimizerStateWiped,
)

OPTIMIZER_FILE = r"(?i)(optim|adam|momentum)\w*.*\.(safetensors|npz|npy|gguf|json|pkl|bin)$"
WEIGHTS_SHARE = 0.5
HELD_BYTES = 65_536  # larger arrays are known by themselves alone, not kept alive
MANY_UPDATES = 20  # that the file of the weights that a run ends with was written before
UNUSED_AFTER = 3  # updates that a loaded array must have had no part in


Loaded = tuple[str, dict[str, Callable[[], Any]], tuple[str, int]]  # a file, its arrays, and the line that read it


class Waiting:
    """Weights that a program has loaded from a file, until one of them is evaluated."""

    def __init__(self, path: str, arrays: dict[str, Callable[[], Any]], site: tuple[str, int], updates: int) -> None:
        self.path = path
        self.arrays = arrays
        self.site = site
        self.updates = updates
        self.told = False


class Checkpoints(Inspector):
    """Remember what was loaded until training goes on, and compare then."""

    emits = (LoadedUnused, LoadedUntrained, OptimizerStateNotSaved, OptimizerStateUnread, OptimizerStateWiped)
    observes = (
        Observe("mlx.core.load", "_load", after=True, never=OURS),
        Observe("mlx.core.save_safetensors", "_save"),
        Observe("mlx.core.savez", "_save"),
        Observe("mlx.nn.layers.base.Module.load_weights", "_load_weights"),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._read: dict[str, tuple[str, int]] = {}
        self._loaded: list[Loaded] = []
        self._into_model: dict[str, tuple[str, int]] = {}
        self._waiting: list[Waiting] = []
        self._written: dict[str, int] = {}  # files that this program wrote, and after how many updates
        self._told: set[str] = set()
        self._unread: list[tuple[OptimizerStateUnread, tuple[str, int], Callable[[], Any], int]] = []

    def _save(self, event: CallEvent) -> None:
        file = event["file"]
        if isinstance(file, (str, os.PathLike)):
            self._written[os.path.abspath(os.fspath(file))] = self.inspection.recorder.updates

    def _load(self, event: CallEvent) -> None:
        file, loaded = event["file"], event.result
        if isinstance(file, (str, os.PathLike)):
            path = os.path.abspath(os.fspath(file))
            self._read[path] = call_site.calling()
            self.inspection.wanted = True  # training may go on at any step now
            self.inspection.recorder.loaded = True
            if static.is_a(loaded, dict):
                self._loaded.append((path, {key: remembered(one) for key, one in loaded.items()}, self._read[path]))

    def _load_weights(self, event: CallEvent) -> None:
        self.inspection.recorder.loaded = self.inspection.wanted = True
        weights = event["file_or_weights"]
        if isinstance(weights, (str, os.PathLike)):
            self._into_model[os.path.abspath(os.fspath(weights))] = call_site.calling()
        elif static.is_a(weights, (list, tuple)):
            self._handed_over(lazy_graph.leaves(static.children(weights)))

    def _handed_over(self, arrays: list[Any]) -> None:
        """The files that any of these arrays come from go into the model; how well they fit is told elsewhere."""
        ids = set(map(id, arrays))
        for path, references, site in self._loaded:
            if ids & {id(one()) for one in references.values()}:
                self._into_model[path] = site

    def training(self, model: Any, optimizer: Any) -> None:
        """Training goes on: whatever belongs to it has been loaded by now."""
        if not static.is_module(model):
            return
        loaded, self._loaded = self._loaded, []
        for path, references, site in loaded:
            arrays = {key: one() for key, one in references.items()}
            if self._is_weights(arrays, model):
                if path in self._into_model or in_model(arrays, model):
                    self._into_model.setdefault(path, site)
                else:
                    self._waiting.append(Waiting(path, references, site, self.inspection.recorder.updates))
        self._tell_lost(loaded, optimizer)
        into_model, self._into_model = self._into_model, {}
        for path, site in into_model.items():
            beside = [name for name in siblings(path) if re.search(OPTIMIZER_FILE, name)]
            unread = [name for name in beside if os.path.join(os.path.dirname(path), name) not in self._read]
            if not beside and self._written.get(path) and step_of(optimizer) == 0:
                self.inspection.recorder.fact(
                    OptimizerStateNotSaved(weights=os.path.basename(path), updates=self._written[path]), site
                )
            if unread and len(unread) == len(beside):
                told = OptimizerStateUnread(weights=os.path.basename(path), unread=tuple(sorted(unread)[:5]))
                self._unread.append((told, site, weak(optimizer), self.inspection.recorder.updates))

    def _tell_lost(self, loaded: list[Loaded], optimizer: Any) -> None:
        """Tell of an optimizer's file that was read, where the optimizer begins anew, or has its count alone."""
        read = [one for one in self._read if re.search(OPTIMIZER_FILE, os.path.basename(one)) and one not in self._told]
        step = step_of(optimizer)
        if step and bare(optimizer):
            read = [path for path, references, _ in loaded if path in read and has_moments(references)]
        if read and (step == 0 or (step and bare(optimizer))):
            self._told.update(read)
            name = os.path.basename(read[-1])
            self.inspection.recorder.fact(OptimizerStateWiped(file=name, kept=step), self._read[read[-1]])

    def look(self, step: int) -> None:
        updates = self.inspection.recorder.updates
        for one in self._waiting:
            if updates >= one.updates + UNUSED_AFTER and not one.told:
                self._tell_unused(one)
        self._tell_unread()

    def _tell_unread(self) -> None:
        """Tell of files beside the weights, unless the optimizer counts on: of pickle and NumPy we do not hear."""
        unread, self._unread = self._unread, []
        for told, site, optimizer, before in unread:
            step = step_of(optimizer())
            if step is None or step <= self.inspection.recorder.updates - before + 1:
                self.inspection.recorder.fact(told, site)

    def finish(self) -> None:
        self._tell_unread()
        for path, site in self._into_model.items():  # and nothing was trained since
            if self._written.get(path) == 0 and self.inspection.recorder.updates >= MANY_UPDATES:
                told = LoadedUntrained(file=os.path.basename(path), updates=self.inspection.recorder.updates)
                self.inspection.recorder.fact(told, site)
        if self.inspection.recorder.evaluations:
            for one in self._waiting:
                self._tell_unused(one)

    def _tell_unused(self, one: Waiting) -> None:
        """Tell of weights none of which has been evaluated while a model was trained; or that they now have been.

        MLX reads a file lazily: an array that is still to be read took no part in anything.
        """
        arrays = [array for array in (reference() for reference in one.arrays.values()) if array is not None]
        unused = bool(arrays) and all(lazy_graph.pending([array]) for array in arrays)
        if unused or one.told:
            one.told = True
            self.inspection.recorder.revise(
                LoadedUnused(file=os.path.basename(one.path), arrays=len(one.arrays), unused=unused), one.site
            )

    def _is_weights(self, arrays: dict[str, Any], model: Any) -> bool:
        """Tell whether loaded names are those of the model's parameters, with or without a prefix."""
        names = {path for path, _ in lazy_graph.named_leaves(model.parameters())}
        ends = [key for key in arrays if any(key == name or key.endswith(f".{name}") for name in names)]
        return len(ends) >= max(1, WEIGHTS_SHARE * len(arrays))


def remembered(array: Any) -> Callable[[], Any]:
    """Return a reference to an array: a small one is kept, a large one may go."""
    return (lambda: array) if array.nbytes <= HELD_BYTES else bound.ref(array)


def in_model(arrays: dict[str, Any], model: Any) -> bool:
    """Tell whether any loaded array has become a parameter: itself, or one of the same values."""
    import mlx.core as mx

    parameters = dict(lazy_graph.named_leaves(model.parameters()))
    mine = {id(one) for one in parameters.values()}
    alive = {key: one for key, one in arrays.items() if one is not None}
    if len(alive) < len(arrays) or any(id(one) in mine for one in alive.values()):
        return True  # what is gone may have been converted
    small = sorted(alive.items(), key=lambda item: int(item[1].size))[:8]
    for key, one in small:
        for name, parameter in parameters.items():
            same = (key == name or key.endswith(f".{name}")) and parameter.shape == one.shape
            if (
                same
                and not lazy_graph.pending([parameter])
                and bool(mx.allclose(parameter, one.astype(parameter.dtype)).item())
            ):
                return True
    return False


def siblings(path: str) -> list[str]:
    """List the files in the folder of a file."""
    try:
        return sorted(os.listdir(os.path.dirname(path)))
    except OSError:
        return []


def step_of(optimizer: Any) -> int | None:
    """Return how many steps an optimizer has made by its own count, if that is known."""
    step = static.state(optimizer).get("step")
    return int(lazy_graph.number(step)) if step is not None and not lazy_graph.pending([step]) else None


def bare(optimizer: Any) -> bool:
    """Tell whether an optimizer holds nothing but numbers, and would of the gradients too."""
    keeps = static.setting(optimizer, "momentum", 1) != 0
    return keeps and all(one.size == 1 for one in lazy_graph.leaves(static.state(optimizer)))


def has_moments(references: dict[str, Callable[[], Any]]) -> bool:
    """Tell whether a file has more than numbers, as far as it is still held."""
    return any(one.size > 1 for one in (reference() for reference in references.values()) if one is not None)
