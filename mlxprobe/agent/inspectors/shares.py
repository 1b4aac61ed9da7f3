"""Which positions carry loss, and with what weight: the gradient of the loss by each position's own loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import groupby
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection, Inspector
from mlxprobe.agent.looks import is_landmark

LAST_STEP = 64  # that is looked at: of the same run, the same steps
MOST_TAPS = 64  # of a gradient call: a loss in chunks
MOST_ELEMENTS = 1 << 20
SAME = 0.02  # weights that differ by less are equal: half precision rounds
ROWS, LENGTH = 16, 2048  # of targets that are read for padding


class Tap:
    """A loss for each position (`classes` is 0 where none was chosen by an id), and what came back for it.

    No dataclass: an eager run of a compiled function stops at generated code, whosever it is.
    """

    def __init__(self, classes: int, ids: Any) -> None:
        self.classes = classes
        self.ids = ids
        self.site = sites.calling()
        self.weights: Any = None


class Share:
    """What was seen at one place. A scale is a weight times the positions: 1 for a mean of all; NaN if they differ."""

    def __init__(self) -> None:
        self.positions = self.carrying = 0
        self.shares: list[float] = []
        self.scales: list[float] = []
        self.padding = 0  # positions in the tails of rows that repeat one id, but for the first of each tail
        self.trained = 0  # of these, those that carry loss
        self.read = 0  # positions that padding was looked for among
        self.tails: set[int] = set()
        self.id: int | None = None
        self.classes = 0
        self.marked = 0  # looks at which ids below zero carried loss, beside others
        self.mark = 0  # that id, where it is always the same


class Shares(Inspector):
    """Lead what the loss is reduced from through an identity whose gradient we see: no operation is added to that.

    What comes back is a part of the program's own gradient, and is read once the program has evaluated that.
    """

    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._taps: list[Tap] = []
        self._calls: list[tuple[list[Tap], set[tuple[int, ...]]]] = []
        self._known: dict[tuple[str, int], Share] = {}

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.core":
            module.take_along_axis = self._chosen(module.take_along_axis, 1)
            if hasattr(module.fast, "cross_entropy"):
                module.fast.cross_entropy = self._chosen(module.fast.cross_entropy, None)
        elif name == "mlx.nn.losses" and hasattr(module, "_reduce"):
            module._reduce = self._reduced(module._reduce)

    def _chosen(self, original: Callable[..., Any], along: int | None) -> Callable[..., Any]:
        """Tap what ids choose: one of the values `along` an axis, or of those on the last."""

        @like(original)
        def choose(values: Any, ids: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(values, ids, *args, **kwargs)
            axis = kwargs.get("axis", args[0] if args else -1) if along else -1
            if not self._listens(result) or not isinstance(axis, int):
                return result
            one_each = along is None or ids.shape[axis] == along
            return self._tapped(result, values.shape[axis], ids) if one_each else result

        return choose

    def _reduced(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def reduce(loss: Any, *args: Any, **kwargs: Any) -> Any:
            return original(self._tapped(loss, 0, None) if self._listens(loss) else loss, *args, **kwargs)

        return reduce

    def _listens(self, values: Any) -> bool:
        seen = self.inspection
        in_gradients = seen.due and seen.nesting.depth > 0 and not (seen.tracing or seen.nesting.replay)
        if not (in_gradients and not seen.busy and len(self._taps) < MOST_TAPS and seen.home.here()):
            return False
        step = seen.recorder.step + 1
        return is_landmark(step) and step <= LAST_STEP and 1 < values.size <= MOST_ELEMENTS and _is_float(values)

    def _tapped(self, values: Any, classes: int, ids: Any) -> Any:
        import mlx.core as mx

        tap = Tap(classes, ids)
        same = mx.custom_function(lambda one: one)

        @same.vjp  # type: ignore[untyped-decorator]
        def back(_: Any, cotangent: Any, __: Any) -> Any:
            tap.weights = cotangent
            return cotangent

        self._taps.append(tap)
        return same(values)

    def calling(self) -> None:
        self._taps = []

    def called(self, call: Call) -> None:
        taps, self._taps = [one for one in self._taps if one.weights is not None], []
        chosen = [one for one in taps if one.classes]
        taps = [one for one in chosen if one.classes == chosen[-1].classes] or taps  # a router's choices come first
        if taps:
            shapes = {tuple(one.shape) for one in graph.leaves(call.data) if one.ndim == 2}
            self._calls.append((taps, shapes))

    def forget(self) -> None:
        self._taps, self._calls = [], []

    def look(self, step: int) -> None:
        calls = self._calls
        self.forget()
        for taps, shapes in calls:
            if not self.inspection.pending([one.weights for one in taps]):
                self._weigh(taps, shapes)
        if calls:
            self._tell()

    def _weigh(self, taps: list[Tap], shapes: set[tuple[int, ...]]) -> None:
        import mlx.core as mx

        share = self._known.setdefault(taps[-1].site, Share())
        weights = mx.abs(mx.concatenate([one.weights.reshape(-1).astype(mx.float32) for one in taps]))
        carries = weights > 0
        least = mx.min(mx.where(carries, weights, math.inf))
        carrying, low, high = graph.numbers(mx.stack([mx.sum(carries).astype(mx.float32), least, mx.max(weights)]))
        if not 0 < high < math.inf:
            return
        share.positions += weights.size
        share.carrying += int(carrying)
        share.shares.append(carrying / weights.size)
        share.scales.append(high * weights.size if high - low <= SAME * high else math.nan)
        for tap in taps[:1]:
            if tap.ids is not None and not self.inspection.pending([tap.ids]):
                self._find_padding(share, tap, shapes)
                self._find_mark(share, tap)

    def _find_mark(self, share: Share, tap: Tap) -> None:
        """Look for one id below zero, among others, that carries loss: MLX takes it for a class, counted from the end.

        A gather of the last place of all rows (-1 and nothing else) is no choice among classes.
        """
        import mlx.core as mx

        ids = tap.ids.reshape(-1)
        if ids.size != tap.weights.size or not mx.issubdtype(ids.dtype, mx.signedinteger):
            return
        below = ids < 0
        carried = mx.sum(below & (tap.weights.reshape(-1) != 0))
        low, high = mx.min(ids), mx.max(mx.where(below, ids, mx.min(ids)))
        count, least, most, largest = (int(one) for one in graph.numbers(mx.stack([carried, low, high, mx.max(ids)])))
        share.classes = tap.classes
        if count and least == most and largest >= 0 and share.mark in (0, least):
            share.marked, share.mark = share.marked + 1, least

    def _find_padding(self, share: Share, tap: Tap, shapes: set[tuple[int, ...]]) -> None:
        """Count the positions in tails of one id: padding, but for its first in each row.

        It stands nowhere else, and no other id has runs like it: sorted rows have them.
        """
        rows = rows_of(tap.ids, shapes)
        if not rows:
            return
        given, weights = (graph.rows(one.reshape(rows, -1)[:ROWS, :LENGTH]) for one in (tap.ids, tap.weights))
        ids = [[int(one) for one in row] for row in given]
        share.read += sum(map(len, ids))
        share.id = longest_tail(ids) if share.id is None else share.id
        tails = [tail(row, share.id) for row in ids]
        text = [row[: len(row) - length] for row, length in zip(ids, tails, strict=True)]
        if any(share.id in row for row in text) or 2 * max(map(longest_run, text)) > max(tails):
            return
        share.tails.update(tails)
        for row, length in zip(weights, tails, strict=True):
            padding = row[len(row) - length + 1 :] if length else []
            share.padding += len(padding)
            share.trained += sum(one != 0 for one in padding)

    def _tell(self) -> None:
        recorder = self.inspection.recorder
        known = {site: one for site, one in self._known.items() if one.positions}  # none of the others has carried loss
        for site, one in known.items():
            recorder.revise(
                "loss share",
                site,
                positions=one.positions,
                carrying=one.carrying,
                shares=[f"{share:.6g}" for share in one.shares],
                scales=[f"{scale:.6g}" for scale in one.scales],
                padding=one.padding,
                trained=one.trained,
                read=one.read,
                tails=len(one.tails),
                id=-1 if one.id is None else one.id,
                marked=one.marked,
                mark=one.mark,
                classes=one.classes,
            )
        totals = {name: sum(getattr(one, name) for one in known.values()) for name in ("positions", "carrying")}
        recorder.channel.send("sheet", values=totals)


def _is_float(array: Any) -> bool:
    import mlx.core as mx

    return isinstance(array, mx.array) and bool(mx.issubdtype(array.dtype, mx.floating))


def rows_of(ids: Any, shapes: set[tuple[int, ...]]) -> int:
    """Return how many rows flat ids come from: their own, or those of an argument as long, or longer by one."""
    own = [size for size in ids.shape if size > 1]
    if len(own) == 2:
        return int(own[0])
    return next((rows for rows, length in sorted(shapes) if ids.size in (rows * length, rows * (length - 1))), 0)


def tail(row: list[int], one: int | None) -> int:
    """Count how often a row repeats an id at its end."""
    return next((k for k, other in enumerate(reversed(row)) if other != one), len(row))


def longest_tail(rows: list[list[int]]) -> int:
    """Return the id that the row ends in that repeats its last one most often."""
    return max(rows, key=lambda row: tail(row, row[-1]))[-1]


def longest_run(row: list[int]) -> int:
    """Return how often in a row the same id follows itself at most, the first included."""
    return max((sum(1 for _ in same) for _, same in groupby(row)), default=0)
