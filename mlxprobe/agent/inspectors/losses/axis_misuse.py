"""Single calls that give themselves away: a softmax without an axis, a scale turned round, the wrong axes pooled."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.states import MAPPED
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.in_gradients import in_gradients
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.losses import PooledAcross, ScaleInverted, SoftmaxOverAll, SoftmaxOverRows

SURE, KEPT = 2, 8  # gradient calls; what is held of one
SQUARE, PICTURE = 2, 4  # axes
LAST_TWO = {(2, 3), (3, 2), (-2, -1), (-1, -2)}
NEAR = 0.01  # of the features, which the square of a scale is
LONG = 1.1  # rows that are not of length 1


class Slips(Inspector):
    """Note such calls within gradient calls, by their shapes, and tell of those that come again."""

    emits = (SoftmaxOverRows, SoftmaxOverAll, PooledAcross, ScaleInverted)
    observes = (
        *in_gradients("mlx.core.softmax", "_sums", never=MAPPED),
        *in_gradients("mlx.core.logsumexp", "_sums", never=MAPPED),
        *in_gradients("mlx.core.mean", "_pools", never=MAPPED),
        *in_gradients("mlx.core.max", "_pools", never=MAPPED),
        *in_gradients("mlx.core.array.mean", "_pools", never=MAPPED),
        *in_gradients("mlx.core.array.max", "_pools", never=MAPPED),
        *in_gradients("mlx.core.fast.scaled_dot_product_attention", "_attends", after=True, never=MAPPED),
    )
    builds_on = ("Losses",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._whole: dict[tuple[str, int], tuple[int, ...]] = {}  # shapes of what a softmax took for one row
        self._down: dict[tuple[str, int], tuple[int, ...]] = {}  # of what one took along the first of two axes
        self._steep: dict[tuple[str, int], tuple[float, Any]] = {}  # scales of attentions, and their queries
        self._pooled: dict[tuple[str, int], tuple[int, ...]] = {}  # pictures, or what may be, by width and channels
        self._calls: dict[tuple[str, int], int] = {}

    def _has_room(self) -> bool:
        return len(self._whole) + len(self._steep) < KEPT

    def _sums(self, event: CallEvent) -> None:
        axis, shape = event["axis"], static.shape(event["a"])
        if not self._has_room():
            return
        if axis is None and event.function == "softmax" and sum(n > 1 for n in shape) > 1:
            self._whole[call_site.calling()] = shape
        elif axis in (0, -SQUARE) and len(shape) == SQUARE:
            self._down[call_site.calling()] = shape

    def _pools(self, event: CallEvent) -> None:
        axis, shape = event["axis"], static.shape(event["self" if "self" in event else "a"])
        last_two = type(axis) in (tuple, list) and tuple(axis) in LAST_TWO
        if last_two and len(shape) == PICTURE and self._has_room():
            self._pooled[call_site.calling()] = shape

    def _attends(self, event: CallEvent) -> None:
        """Hold a scale, which MLX has taken for a number, that is near the root of the features."""
        scale, q = float(event["scale"]), event["q"]
        if scale > 1 and abs(scale * scale / q.shape[-1] - 1) < NEAR and self._has_room():
            self._steep[call_site.calling()] = scale, q

    def calling(self) -> None:
        self._whole, self._down, self._steep, self._pooled = {}, {}, {}, {}

    calling_in_trace = calling

    def called(self, call: Call) -> None:
        whole, pooled, down = self._whole, self._pooled, self._down
        self._whole, self._pooled, self._down = {}, {}, {}
        data = [one.shape[0] for one in lazy_graph.leaves(call.data) if one.ndim] if whole else []
        rows = max(data, key=data.count) if data else 0
        for site, shape in whole.items() if rows > 1 else ():
            pairs = len(shape) == SQUARE and shape[0] == shape[1]  # each row with each other, it may be
            if shape[0] % rows == 0 and not pairs:
                self._count(SoftmaxOverAll(shape=str(shape)), site)
        targets = self.inspection.view.targets if down else []
        labelled = {one.size for _, _, one in targets if one.size == one.shape[0] and not is_amount(one)}
        for site, shape in down.items():
            if shape[0] in labelled and shape[0] != shape[1] > 1:
                self._count(SoftmaxOverRows(shape=str(shape)), site)
        channels = convolved(call.model) if pooled else set()
        for site, shape in pooled.items():
            if shape[-1] in channels and shape[1] not in channels | {1} and shape[2] != shape[3]:
                self._count(PooledAcross(shape=str(shape)), site)

    called_in_trace = called

    def look(self, step: int) -> None:
        """Judge scales by their queries: rows of length 1 are multiplied so."""
        steep, self._steep = self._steep, {}
        for site, (scale, query) in steep.items():
            if self.inspection.inside:
                lazy_graph.evaluate([query])
            if not lazy_graph.pending([query]) and length(query) > LONG:
                self._count(ScaleInverted(scale=scale, features=query.shape[-1]), site)

    def forget(self) -> None:
        self._steep = {}

    def _count(self, fact: Fact, site: tuple[str, int]) -> None:
        """Count a gradient call: one that is traced stands for all that follow."""
        before = self._calls.get(site, 0)
        self._calls[site] = before + (SURE if self.inspection.tracing else 1)
        if self._calls[site] >= SURE > before:
            self.inspection.recorder.fact(fact, site)


def length(rows: Any) -> float:
    """Return how long rows are."""
    import mlx.core as mx

    return lazy_graph.number(mx.sqrt(mx.mean(mx.sum(mx.square(rows.astype(mx.float32)), axis=-1))))


def convolved(model: Any) -> set[int]:
    """Return how many channels the convolutions of a model make of pictures."""
    named = model.named_modules() if static.is_module(model) else ()
    return {one.weight.shape[0] for _, one in named if type(one).__name__ == "Conv2d"}
