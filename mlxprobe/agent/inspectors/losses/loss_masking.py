"""Which positions carry loss, and with what weight: the gradient of the loss by each position's own loss."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount
from mlxprobe.agent.inspectors.losses.loss_taps import Tap, Taps
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.losses import LossShare

SAME = 0.02  # weights that differ by less are equal: half precision rounds
CARRYING = 8  # positions
PAIRS = 64  # of a share and a scale that differ: more say nothing new
ROWS, LENGTH = 16, 2048  # of targets that are read for padding


class Share:
    """What was seen at one place. A scale is a weight times the positions: 1 for a mean of all; NaN if they differ."""

    def __init__(self) -> None:
        self.positions = self.carrying = self.looks = 0
        self.pairs: dict[tuple[str, str], None] = {}  # a share and its scale, rounded: each once
        self.padding = 0  # positions in the tails of rows that repeat one id, but for the first of each tail
        self.trained = 0  # of these, those that carry loss
        self.read = 0  # positions that padding was looked for among
        self.tails: set[int] = set()
        self.id: int | None = None
        self.classes = 0
        self.marked = 0  # looks at which ids below zero carried loss, beside others
        self.mark = 0  # that id, where it is always the same
        self.alone = 0  # looks at which one class alone carried loss, beside several that carried none
        self.padded = 0  # looks at which nothing but such tails carried loss, beside others that carried none


class Shares(Inspector):
    """Weigh the positions that a loss is reduced from, once the program has evaluated what came back for them."""

    emits = (".carrying", ".positions", LossShare)
    shadows = True
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._taps = Taps(inspection)
        inspection.intercepts.add(self, Taps.observes, self._taps)
        self._calls: list[tuple[list[Tap], set[tuple[int, ...]]]] = []
        self._known: dict[tuple[str, int], Share] = {}
        self._amounts = False  # whether a call is given floating-point numbers: there may be rewards among them

    def calling(self) -> None:
        self._taps.begin()

    def called(self, call: Call) -> None:
        taps = self._taps.taken()
        chosen = [one for one in taps if one.classes]
        taps = [one for one in chosen if one.classes == chosen[-1].classes] or taps  # a router's choices come first
        if taps:
            shapes = {tuple(one.shape) for one in lazy_graph.leaves(call.data) if one.ndim == 2}
            self._calls.append((taps, shapes))
            self._amounts = self._amounts or any(map(is_amount, lazy_graph.leaves(call.data)))
            self.inspection.view.taps = [*taps]

    def finish(self) -> None:
        self._taps.leave()

    def forget(self) -> None:
        self._taps.taken()
        self._calls = []

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
        carrying, low, high = lazy_graph.numbers(mx.stack([mx.sum(carries).astype(mx.float32), least, mx.max(weights)]))
        if not 0 < high < math.inf:
            return
        share.positions += weights.size
        share.carrying += int(carrying)
        share.looks += 1
        scale = high * weights.size if high - low <= SAME * high else math.nan
        if len(share.pairs) < PAIRS:
            share.pairs[f"{carrying / weights.size:.6g}", f"{scale:.6g}"] = None
        self.inspection.view.loss_scales.append((scale, taps[-1].site))
        for tap in taps[:1]:
            if tap.ids is not None and not self.inspection.pending([tap.ids]):
                self._find_padding(share, tap, shapes)
                self._find_mark(share, tap)
                self._find_one_class(share, tap)

    def _find_one_class(self, share: Share, tap: Tap) -> None:
        """See whether all that carry loss are of one class, and the others are not."""
        import mlx.core as mx

        ids = tap.ids.reshape(-1)
        if ids.size != tap.weights.size or not mx.issubdtype(ids.dtype, mx.integer):
            return
        carries, ids, far = tap.weights.reshape(-1) != 0, ids.astype(mx.int32), 1 << 30
        ends = [(mx.min(mx.where(one, ids, far)), mx.max(mx.where(one, ids, -far))) for one in (carries, ~carries)]
        low, high, least, most = lazy_graph.numbers(mx.stack([end for pair in ends for end in pair]))
        share.alone += low == high and -far < least < most < far and lazy_graph.number(mx.sum(carries)) >= CARRYING

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
        count, least, most, largest = (
            int(one) for one in lazy_graph.numbers(mx.stack([carried, low, high, mx.max(ids)]))
        )
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
        given, weights = (lazy_graph.rows(one.reshape(rows, -1)[:ROWS, :LENGTH]) for one in (tap.ids, tap.weights))
        ids = [[int(one) for one in row] for row in given]
        share.read += sum(map(len, ids))
        share.id = longest_tail(ids) if share.id is None else share.id
        tails = [tail(row, share.id) for row in ids]
        text = [row[: len(row) - length] for row, length in zip(ids, tails, strict=True)]
        if any(share.id in row for row in text) or 2 * max(map(longest_run, text)) > max(tails):
            return
        before = [any(row[: len(row) - length]) for row, length in zip(weights, tails, strict=True)]
        share.padded += not any(before) and any(map(any, weights)) and len({one for row in text for one in row}) > 1
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
                LossShare(
                    positions=one.positions,
                    carrying=one.carrying,
                    shares=tuple(float(share) for share, _ in one.pairs),
                    scales=tuple(float(scale) for _, scale in one.pairs),
                    padding=one.padding,
                    trained=one.trained,
                    read=one.read,
                    tails=len(one.tails),
                    id=-1 if one.id is None else one.id,
                    marked=one.marked,
                    mark=one.mark,
                    padded=one.padded,
                    alone=one.alone,
                    amounts=self._amounts,
                    looks=one.looks,
                    classes=one.classes,
                ),
                site,
            )
        totals = {name: sum(getattr(one, name) for one in known.values()) for name in ("positions", "carrying")}
        recorder.channel.send("sheet", values=totals)


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
