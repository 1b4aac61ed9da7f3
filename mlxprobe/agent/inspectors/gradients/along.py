"""Do arrays that a gradient is taken of move along it? Then they are parameters, and their changes are updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.gradients.accumulation import ELEMENTS, SMALL, TOLERANCE, share_of_sum
from mlxprobe.agent.introspection.trees import is_vector, weak
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.parameter_moves import Followed
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector

ASKED = 8  # calls in a row, at most, that are sampled for this
ENOUGH, FITS_ARE_SURE = 8, 2  # elements that are not all in one ratio by chance; moves in a row, of fewer


class Moved:
    """The moves of one array, and its gradients; a small one that waits for its values is kept until its step ends.

    Plain descent and the first step with momentum are a multiple of the gradient; the first steps of Adam and its kin
    are of one size, against the gradient's sign.
    """

    def __init__(self) -> None:
        self.at = -1  # the last gradient call
        self.slope: Callable[[], Any] = weak(None)  # its gradient
        self.waits: Any = None
        self._values: list[float] = []
        self._slopes: list[list[float]] = []  # of the calls since the last move
        self._fits = 0
        self._moves: tuple[list[float], list[float]] = [], []  # the last elements, with their gradients

    def forget(self) -> None:
        """Take what comes for a first call."""
        self._values, self._slopes = [], []

    def is_shown(self, values: list[float]) -> bool:
        """Take in the values at another call, and tell whether they have moved along the gradients of those before."""
        before, self._values = self._values, values
        if len(before) != len(values) or before == values or not self._slopes:
            return False
        moves = [now - then for now, then in zip(values, before, strict=True)]
        slopes = [sum(each) for each in zip(*self._slopes, strict=True)]
        self._slopes = []
        self._moves = (self._moves[0] + moves)[-ENOUGH:], (self._moves[1] + slopes)[-ENOUGH:]
        self._fits += len(moves) >= ELEMENTS and share_of_sum([slopes], moves) is not None
        pooled = len(self._moves[0]) == ENOUGH and share_of_sum([self._moves[1]], self._moves[0]) is not None
        return pooled or self._fits >= FITS_ARE_SURE or _by_sign(moves, slopes)

    def read(self) -> None:
        """Read the last call's gradient, where the program has evaluated it and keeps it."""
        gradient = self.slope()
        if gradient is not None and self._values:
            self._slopes.append(lazy_graph.numbers(lazy_graph.sample(gradient)))


class Along(Inspector):
    """Sample the first calls of each gradient function until its parameters are known."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._asked = 0
        self._now: list[Moved] = []

    def called(self, call: Call) -> None:
        if call.parameters is None or self.inspection.inside:
            return
        followed = self.inspection.recorder.moves.of(call.model, call.function)
        pairs = list(zip(lazy_graph.leaves(call.parameters), lazy_graph.leaves(call.gradients), strict=False))
        pairs = [pair for pair in pairs if pair[0].shape == pair[1].shape and pair[0].size]
        if pairs and not (followed.is_known or followed.by_optimizer):
            one, gradient = min(pairs, key=lambda pair: (pair[0].size < ELEMENTS, is_vector(pair[0]), pair[0].size))
            moved = self._compare(followed, one)
            moved.at, moved.slope = followed.calls, weak(gradient)
            self._now.append(moved)

    def _compare(self, followed: Followed, one: Any) -> Moved:
        moved: Moved = followed.along or Moved()
        followed.along = moved
        if moved.at + 1 != followed.calls:
            moved.forget()
            moved.slope = weak(None)
        if self.inspection.pending([one]):
            moved.forget()
            moved.waits = one if one.size <= SMALL else None
            shown = self._draws_on(moved.slope(), one)
        else:
            shown = moved.is_shown(lazy_graph.numbers(lazy_graph.sample(one)))
        if shown:
            followed.is_sure = followed.changes = True
        return moved

    def _draws_on(self, gradient: Any, one: Any) -> bool:
        """Tell whether what waits behind an array is computed from a gradient."""
        if gradient is None or self.inspection.count("slopes", [one]) is None:
            return False
        return '"slope" -> ' in lazy_graph.dot(parameter=one, slope=gradient)

    def look(self, step: int) -> None:
        now, self._now = self._now, []
        for moved in now:
            (one, moved.waits), gradient = (moved.waits, None), moved.slope()
            if one is not None and not self.inspection.pending([one]):
                moved.is_shown(lazy_graph.numbers(lazy_graph.sample(one)))
            if gradient is None or self.inspection.pending([gradient]):
                moved.forget()
            else:
                moved.read()
        if now and self._asked < ASKED:
            self._asked += 1
            self.inspection.wanted = True

    def forget(self) -> None:
        for moved in self._now:
            moved.waits = None
        self._now = []


def _by_sign(moves: list[float], slopes: list[float]) -> bool:
    """Tell whether all elements move equally far, as their gradients' signs say."""
    pairs = [(move, slope) for move, slope in zip(moves, slopes, strict=True) if slope]
    sizes = [abs(move) for move, _ in pairs]
    ways = {(move < 0) == (slope < 0) for move, slope in pairs}
    return len(pairs) >= ENOUGH and len(ways) == 1 and 0 < max(sizes) <= (1 + TOLERANCE) * min(sizes)
