"""Inputs of one-dimensional convolutions whose layout the layer cannot check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.inspection import Inspection, Inspector

SMOOTH, ROUGH = 0.5, 0.25
ENOUGH_LENGTH = 4
SURE = 2
LARGE = 1_000_000  # elements, of which a copy is not worth its memory


class Layouts(Inspector):
    """Where length and channels are the same number, tell by the data: neighbours in time resemble each other."""

    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[Any, tuple[str, int]]] = []
        self._seen = 0

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.nn.layers.convolution":
            module.Conv1d.__call__ = self._convolution(module.Conv1d.__call__)

    def _convolution(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __call__(layer: Any, x: Any) -> Any:  # noqa: N807
            seen = self.inspection
            if seen.due and not seen.busy and not seen.tracing and not self._held and is_square(x):
                self._held.append((x, sites.calling()))
            try:
                return original(layer, x)
            except ValueError:
                if getattr(x, "ndim", 0) == 3 and x.shape[1] == layer.weight.shape[2] != x.shape[2]:
                    self.inspection.recorder.fact(
                        "channels first", sites.calling(), shape=str(tuple(x.shape)), channels=layer.weight.shape[2]
                    )
                raise

        return __call__

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        for x, site in held:
            if self.inspection.pending([x]):
                continue
            time, channels = neighbours(x, 1), neighbours(x, 2)
            if channels > SMOOTH and time < ROUGH:
                self._seen += 1
                if self._seen == SURE:
                    self.inspection.recorder.fact(
                        "channels first", site, shape=str(tuple(x.shape)), time=time, channels=channels
                    )


def is_square(x: Any) -> bool:
    """Tell whether length and channels of (N, L, C) data are the same number."""
    return getattr(x, "ndim", 0) == 3 and x.shape[1] == x.shape[2] >= ENOUGH_LENGTH and x.size <= LARGE


def neighbours(x: Any, axis: int) -> float:
    """Return the correlation of values that are neighbours along an axis."""
    import mlx.core as mx

    x = x.astype(mx.float32)
    x = x - mx.mean(x, axis=axis, keepdims=True)
    along = mx.swapaxes(x, axis, 0)
    power = graph.number(mx.sum(along * along))
    return graph.number(mx.sum(along[1:] * along[:-1])) / power if power else 0.0
