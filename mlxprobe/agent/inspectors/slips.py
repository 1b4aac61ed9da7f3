"""Single calls that give themselves away: a softmax without an axis, an attention's scale the other way round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.code import sites
from mlxprobe.agent.graphs import graph
from mlxprobe.agent.looks.inspection import Inspection, Inspector
from mlxprobe.agent.record.call import Call
from mlxprobe.agent.wrapping.arguments import like

SURE, KEPT = 2, 8  # gradient calls; what is held of one
SQUARE = 2  # axes
NEAR = 0.01  # of the features, which the square of a scale is


class Slips(Inspector):
    """Note such calls within gradient calls, by their shapes, and tell of those that come again."""

    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._whole: dict[tuple[str, int], tuple[int, ...]] = {}  # shapes of what a softmax took for one row
        self._steep: dict[tuple[str, int], tuple[float, int]] = {}  # scales of attentions, and their features
        self._calls: dict[tuple[str, int], int] = {}

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.core":
            module.softmax = self._softmax(module.softmax)
            module.fast.scaled_dot_product_attention = self._attention(module.fast.scaled_dot_product_attention)

    def _listens(self) -> bool:
        seen = self.inspection
        inside = seen.nesting.depth and (seen.due or seen.nesting.tracing) and not seen.nesting.mapped
        return bool(inside) and not seen.busy and len(self._whole) + len(self._steep) < KEPT

    def _softmax(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def softmax(a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
            shape = getattr(a, "shape", ())
            if axis is None and sum(length > 1 for length in shape) > 1 and self._listens():
                self._whole[sites.calling()] = tuple(shape)
            return original(a, axis, *args, **kwargs)

        return softmax

    def _attention(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def attention(q: Any, *args: Any, **kwargs: Any) -> Any:
            scale, features = kwargs.get("scale", 0.0), q.shape[-1]
            if scale > 1 and abs(scale * scale / features - 1) < NEAR and self._listens():
                self._steep[sites.calling()] = float(scale), features
            return original(q, *args, **kwargs)

        return attention

    def calling(self) -> None:
        self._whole, self._steep = {}, {}

    calling_in_trace = calling

    def called(self, call: Call) -> None:
        (whole, self._whole), (steep, self._steep) = (self._whole, {}), (self._steep, {})
        data = [one.shape[0] for one in graph.leaves(call.data) if one.ndim] if whole else []
        rows = max(data, key=data.count) if data else 0
        for site, shape in whole.items() if rows > 1 else ():
            pairs = len(shape) == SQUARE and shape[0] == shape[1]  # each row with each other, it may be
            if shape[0] % rows == 0 and not pairs:
                self._count("no axis", site, shape=str(shape))
        for site, (scale, features) in steep.items():
            self._count("scale turned", site, scale=scale, features=features)

    called_in_trace = called

    def _count(self, name: str, site: tuple[str, int], **detail: Any) -> None:
        """Count a gradient call: one that is traced stands for all that follow."""
        before = self._calls.get(site, 0)
        self._calls[site] = before + (SURE if self.inspection.tracing else 1)
        if self._calls[site] >= SURE > before:
            self.inspection.recorder.fact(name, site, **detail)
