"""Programs that update by hand: do arguments move along their gradients, and is each call's gradient applied?"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.code.trees import is_vector, weak
from mlxprobe.agent.graphs import graph
from mlxprobe.agent.inspectors.gradients.accumulation import ELEMENTS, LAST_IS_SURE, SMALL, TOLERANCE, share_of_sum
from mlxprobe.agent.looks.inspection import Inspection
from mlxprobe.agent.looks.inspector import Inspector
from mlxprobe.agent.record.call import Call
from mlxprobe.agent.record.moves import Followed

ASKED = 32  # calls in a row, at most, that are looked at for that
ASKED_ALONG = 8  # calls in a row, at most, that are looked at for whether arguments move along their gradients
ENOUGH, FITS_ARE_SURE = 8, 2  # elements that are not all in one ratio by chance; moves in a row, of fewer


class Row:
    """One gradient call: some values of one parameter as it was given, and of its gradient."""

    def __init__(self, number: int, kind: Any, parameter: list[float], gradient: list[float]) -> None:
        self.number = number
        self.kind = kind
        self.parameter = parameter
        self.gradient = gradient


class Along:
    """Whether arrays move along their gradients: then they are parameters, and the moves are updates.

    Plain descent and the first step with momentum are a multiple of the gradient; the first steps of Adam and its kin
    are of one size, against the gradient's sign.
    """

    def __init__(self) -> None:
        self._fits = 0
        self._moves: list[float] = []
        self._slopes: list[float] = []

    def is_shown(self, moves: list[float], calls: list[list[float]]) -> bool:
        """Take in one move, and the gradients of the calls before it."""
        slopes = [sum(values) for values in zip(*calls, strict=True)]
        self._moves, self._slopes = (self._moves + moves)[-ENOUGH:], (self._slopes + slopes)[-ENOUGH:]
        self._fits += len(moves) >= ELEMENTS and share_of_sum([slopes], moves) is not None
        pooled = len(self._moves) == ENOUGH and share_of_sum([self._slopes], self._moves) is not None
        return pooled or self._fits >= FITS_ARE_SURE or _by_sign(moves, slopes)


def _by_sign(moves: list[float], slopes: list[float]) -> bool:
    """Tell whether all elements move equally far, as their gradients' signs say."""
    pairs = [(move, slope) for move, slope in zip(moves, slopes, strict=True) if slope]
    sizes = [abs(move) for move, _ in pairs]
    ways = {(move < 0) == (slope < 0) for move, slope in pairs}
    return len(pairs) >= ENOUGH and len(ways) == 1 and 0 < max(sizes) <= (1 + TOLERANCE) * min(sizes)


class ByHand(Inspector):
    """Follow one parameter from call to call: by plain descent it moves along the sum of the gradients in between.

    Where each call finds it moved there are no micro-batches, and nothing more is looked at.
    """

    emits = ("gradients dropped",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: tuple[Any, Any, Any, tuple[str, int], Followed] | None = None
        self._along: weakref.WeakKeyDictionary[Followed, tuple[Along, Along]] = weakref.WeakKeyDictionary()
        self._slope: tuple[Followed | None, Callable[[], Any]] = None, weak(None)  # of the last call, which waits
        self._window: list[Row] = []  # calls since it has moved
        self._whole = False  # whether those are all
        self._usual = self._last = self._times = self._asked = 0
        self._left = 0  # gradient calls up to the last time that a module was given parameters
        inspection.setting.append(self._setting)

    def _setting(self, _: Any) -> None:
        self._left = self.inspection.recorder.gradients

    def called(self, call: Call) -> None:
        self._held = None
        if self.inspection.recorder.applied or self.inspection.inside or call.parameters is None:
            return
        pairs = list(zip(graph.leaves(call.parameters), graph.leaves(call.gradients), strict=False))
        small = [(one, gradient) for one, gradient in pairs if 0 < one.size <= SMALL]
        if small and len(pairs) == len(graph.leaves(call.gradients)):
            one, gradient = min(small, key=lambda pair: (pair[0].size < ELEMENTS, is_vector(pair[0]), pair[0].size))
            kind = call.site, id(call.function), tuple(tuple(array.shape) for array in graph.leaves(call.data))
            followed = self.inspection.recorder.moves.of(call.model, call.function)
            self._held = one, gradient, kind, call.site, followed
            self._draw(followed, one)

    def _draw(self, followed: Followed, parameter: Any) -> None:
        """See whether what waits behind a parameter is computed from the last call's gradient."""
        (known, slope), self._slope = self._slope, (None, weak(None))
        gradient = slope()
        if known is not followed or gradient is None or not self.inspection.count("slopes", [parameter]):
            return
        if '"slope" -> ' in graph.dot(parameter=parameter, slope=gradient):
            followed.is_sure = followed.changes = True

    def forget(self) -> None:
        self._held, self._slope = None, (None, weak(None))

    def look(self, step: int) -> None:
        held, self._held = self._held, None
        if held is None or held[0].shape != held[1].shape:
            self._window = []
            return
        if self.inspection.pending(list(held[:2])):
            self._window, self._slope = [], (held[4], weak(held[1]))
            self._ask(0 if held[4].is_known else ASKED_ALONG)
            return
        values = [graph.numbers(graph.sample(one)) for one in held[:2]]
        row = Row(self.inspection.recorder.gradients, held[2], *values)
        last = self._window[-1] if self._window else None
        if last is None or last.number + 1 != row.number or len(last.parameter) != len(row.parameter):
            self._window, self._whole = [row], row.number == 1
        elif last.parameter == row.parameter:
            self._window.append(row)
        else:
            delta = [now - then for now, then in zip(row.parameter, last.parameter, strict=True)]
            self._follow(held[4], delta, row)
            if self._whole and len(delta) >= ELEMENTS:
                self._judge(self._window, delta, held[3])
            self._window, self._whole = [row], True
        asks = len(self._window) > 1 or self._times or self._usual > 1
        self._ask(ASKED if asks else 0 if held[4].is_known else ASKED_ALONG)

    def _ask(self, most: int) -> None:
        if self._asked < most:
            self._asked += 1
            self.inspection.wanted = True

    def _follow(self, followed: Followed, delta: list[float], row: Row) -> None:
        """See whether arrays that have changed are parameters; what changes in place is read after its change."""
        before, in_place = self._along.setdefault(followed, (Along(), Along()))
        shown = before.is_shown(delta, [one.gradient for one in self._window])
        followed.is_sure |= in_place.is_shown(delta, [row.gradient]) or shown
        followed.changes |= followed.is_sure

    def _judge(self, calls: list[Row], delta: list[float], site: tuple[str, int]) -> None:
        """See of how many of its last calls a move is the sum."""
        values = [one.gradient for one in calls]
        times, self._times = self._times, 0
        if share_of_sum(values, delta) is not None:
            self._usual = len(calls)
        elif 0 < self._usual < len(calls) and share_of_sum(values[-self._usual :], delta) is not None:
            self._tell(len(calls) - self._usual, len(calls), site)
        elif share_of_sum(values[-1:], delta) is not None and all(one.kind == calls[0].kind for one in calls):
            self._times = times + 1 if self._last == len(calls) else 1
            self._last = len(calls)
            if self._times == LAST_IS_SURE and len(set(map(tuple, values))) == len(calls):
                self._tell(len(calls) - 1, len(calls), site)

    def _tell(self, calls: int, of: int, site: tuple[str, int]) -> None:
        self.inspection.recorder.fact("gradients dropped", site, calls=calls, of=of, at_end=False)

    def finish(self) -> None:
        """Tell of calls that nothing came after, where a module is given what accumulates."""
        recorder = self.inspection.recorder
        left = recorder.gradients - self._left
        if self._usual > 1 and 0 < left < self._usual and self._left and not recorder.applied:
            recorder.fact("gradients dropped", recorder.gradient_site, calls=left, of=self._usual, at_end=True)
