"""What a model's modules hold and how they are set: hidden arrays, overwritten parameters, the mode."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection, Inspector
from mlxprobe.agent.inspectors.layouts import neighbours
from mlxprobe.agent.lossgraph import LossGraph

SURE = 3  # looks
MANY = 32  # parameters that are looked behind
ENOUGH = 16  # elements, to tell noise from a table
SMOOTH = 0.5
LARGE = 1 << 20


class Modules(Inspector):
    """Look at the modules of the model that a gradient is taken of."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._hidden: dict[str, tuple[list[float], int]] = {}  # what an array held, and looks that found the same
        self._reached: set[str] = set()
        self._modes: dict[str, int] = {}  # looks
        self._written = 0  # looks
        self._model: Callable[[], Any] = lambda: None
        self._clean = False

    def calling(self) -> None:
        """See whether the parameters are evaluated."""
        model = self._model()
        lazy = model is None or self.inspection.recorder.lazy_steps > 0
        self._clean = not lazy and not self.inspection.pending(graph.leaves(model.trainable_parameters())[:MANY])

    def called(self, call: Call) -> None:
        """Look at the model between its gradients and its update."""
        if call.model is None:
            return
        self._model = weakref.ref(call.model)
        self._tell_overwritten(call)
        self._follow_hidden(call)
        for kind, paths in idle(call.model).items():
            self._modes[kind] = self._modes.get(kind, 0) + 1
            self.inspection.wanted = self.inspection.wanted or self._modes[kind] < SURE
            if self._modes[kind] == SURE:
                self.inspection.recorder.fact("evaluation mode", call.site, kind=kind, paths=paths[:5])

    def _tell_overwritten(self, call: Call) -> None:
        """Look behind parameters that were evaluated before the call: nothing but MLX's own copy is there to be."""
        if not self._clean or self.inspection.recorder.lazy_steps:
            return
        arrays = {f"a{k}": one for k, one in enumerate(graph.leaves(call.model.trainable_parameters())[:MANY])}
        drawn = LossGraph(graph.dot(**arrays))
        paths = [path for path, _ in graph.named_leaves(call.model.trainable_parameters())[:MANY]]
        written = [path for path, name in zip(paths, arrays, strict=True) if drawn.operation(name)]
        self._written += bool(written)
        if self._written == SURE - 1:
            self.inspection.recorder.fact("parameter overwritten", call.site, paths=written[:5])

    def _follow_hidden(self, call: Call) -> None:
        """Remember arrays that are no parameters and reach the loss; what stays the same is never trained."""
        hidden = {path: one for path, one in unowned_arrays(call.model) if one.size <= LARGE}
        if not hidden or call.loss is None or self.inspection.recorder.lazy_steps > 1:
            return
        if not self._reached:
            names = {f"h{k}": path for k, path in enumerate(hidden)}
            drawn = LossGraph(graph.dot(loss=call.loss, **{name: hidden[path] for name, path in names.items()}))
            self._reached = {path for name, path in names.items() if drawn.reaches(name)}
        for path in self._reached & hidden.keys():
            one = hidden[path]
            if graph.pending([one], copies=False):  # before 0.30 a call leaves a copy of what its arguments hold
                continue
            values = graph.numbers(graph.sample(one))
            before, same = self._hidden.get(path, ([], 0))
            self._hidden[path] = values, same + 1 if values == before else 0
            if same + 1 == SURE and values == before and is_noise(one):
                self.inspection.recorder.fact("array untrained", call.site, path=path)


def unowned_arrays(model: Any) -> Iterator[tuple[str, Any]]:
    """List floating-point arrays of the user's own modules that MLX takes for no parameters."""
    import mlx.core as mx

    for path, module in model.named_modules():
        if sites.is_mlx(type(module).__module__):
            continue
        hides = [(name, one) for name, one in module.items() if name.startswith("_") or isinstance(one, tuple)]
        hides += [(name, one) for name, one in vars(module).items() if not name.startswith("__")]
        for name, value in hides:
            for inner, one in graph.named_leaves(value):
                if mx.issubdtype(one.dtype, mx.floating) and one.size > 1:
                    yield ".".join(part for part in (path, name, inner) if part), one


def is_noise(array: Any) -> bool:
    """Tell whether an array looks drawn at random: a weight, not a table of positions, a mask or a constant."""
    values = graph.numbers(graph.sample(array))
    if len(values) < ENOUGH or len(set(values)) < len(values) // 2:
        return False
    rows = array.reshape(1, array.shape[0], -1) if array.ndim > 1 else array.reshape(1, -1, 1)
    return abs(neighbours(rows, 1)) < SMOOTH and (rows.shape[2] < ENOUGH or abs(neighbours(rows, 2)) < SMOOTH)


def idle(model: Any) -> dict[str, list[str]]:
    """List by kind what is in evaluation mode and would do something else in training: dropout, unfrozen statistics."""
    from mlx import nn

    found: dict[str, list[str]] = {}
    for path, module in model.named_modules():
        if isinstance(module, (nn.Dropout, nn.Dropout2d, nn.Dropout3d)):
            found.setdefault("dropout", []).append(path) if not module.training and keeps(module) < 1 else None
        elif isinstance(module, nn.BatchNorm) and not module.training and module.trainable_parameters():
            found.setdefault("batch normalisation", []).append(path)
    return found


def keeps(dropout: Any) -> float:
    """Return the share of elements that a dropout layer keeps."""
    return float(getattr(dropout, "_p_1", 1.0))
