"""Programs that update parameters by hand: the moves of a parameter, explained by the gradients in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.gradients.accumulation import LeftOut
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.parameter_moves import Followed
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Computed
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.sketches import ELEMENTS, TOLERANCE, Sketch, last_of, sum_of, weights
from mlxprobe.protocol.facts.updates import GradientsDropped
from mlxprobe.protocol.least_squares import length

ASKED, ASKED_OF_WINDOWS = 8, 32  # calls in a row, at most, that are sampled to know parameters, and micro-batches
ENOUGH = 8  # elements that moved along gradients


class Row(NamedTuple):
    """One call of a gradient function: its number, a parameter as it was given, and its gradient."""

    number: int
    kind: object
    parameter: Sketch
    gradient: Sketch


class Moves:
    """The calls of a gradient function since its parameter has moved, and how many elements moved along gradients.

    Plain descent moves along their sum, with weight decay along the parameter too; the first steps of Adam and its kin
    are of one size, against the gradient's sign.
    """

    def __init__(self) -> None:
        self.window: list[Row] = []
        self.whole = False  # whether those are all
        self.left_out = LeftOut()
        self.last: tuple[int, Callable[[], Any]] = -1, weak(None)  # call, and its gradient
        self._along = 0
        self._few: tuple[Sketch, ...] = ()  # moves of too few elements, with their gradients and parameters

    def add(self, row: Row) -> tuple[Sketch, list[Row]] | None:
        """Take in a call; return a move and the calls that it came after, where the parameter has moved."""
        last = self.window[-1] if self.window else row
        size = len(last.parameter.values)
        if last.number + 1 != row.number or not len(row.parameter.values) == len(row.gradient.values) == size:
            self.window, self.whole = [row], row.number == 1
        elif last.parameter.values == row.parameter.values:
            self.window.append(row)
        else:
            calls, self.window = self.window, [row]
            return row.parameter.plus(last.parameter, -1.0), calls
        return None

    def is_shown(self, move: Sketch, calls: list[Row]) -> bool:
        """Tell whether all moves up to this one show parameters, which move along their gradients."""
        new = move, sum_of([one.gradient for one in calls]), calls[-1].parameter
        if _by_sign(move, new[1]):
            return True
        joined = tuple(one.joined(more) for one, more in zip(self._few, new, strict=True)) if self._few else new
        along = len(joined[0].values) if _along(*joined) else 0
        if len(move.values) < ELEMENTS:  # a scalar: some moves together
            self._few = joined if len(joined[0].values) < ENOUGH else ()
            return along >= ENOUGH
        self._few = joined if not along and len(joined[0].values) < 2 * ELEMENTS else ()
        self._along += along
        return self._along >= ENOUGH


class ByHand(Inspector):
    """Follow one parameter of each gradient function from call to call, until it is known to be one.

    Where each call finds it moved there are no micro-batches, and nothing more is sampled for them.
    """

    emits = (GradientsDropped,)
    builds_on = ("Provenance",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._now: list[tuple[Followed, int, Computed]] = []
        self._asked = self._usual = 0
        self._left = 0  # gradient calls up to the last time that a module was given parameters
        inspection.setting.append(self._setting)

    def _setting(self, _: Any) -> None:
        self._left = self.inspection.recorder.gradients

    def called(self, call: Call) -> None:
        if call.parameters is not None and not self.inspection.inside:
            followed = self.inspection.recorder.moves.of(call.model, call.function)
            if not (followed.by_optimizer or (followed.is_known and self.inspection.recorder.applied)):
                computed = self.inspection.view.computed[-1]
                self._now.append((followed, followed.calls, computed))
                computed.parameter.read_early(self.inspection.pending)
                self._draw(*self._now[-1])

    def _draw(self, followed: Followed, number: int, call: Computed) -> None:
        """Recognise a parameter that waits for its values: by what it is computed from."""
        moves: Moves = followed.along or Moves()
        followed.along = moves
        (last, slope), parameter = moves.last, call.parameter.first
        moves.last = number, weak(call.gradients.first)
        before = slope() if last + 1 == number and not followed.is_known else None
        if before is None or parameter is None or not self.inspection.pending([parameter]):
            return
        drawn = self.inspection.count("slopes", [parameter]) is not None
        if drawn and '"slope" -> ' in lazy_graph.dot(parameter=parameter, slope=before):
            followed.is_sure = followed.changes = True

    def forget(self) -> None:
        self._now = []

    def look(self, step: int) -> None:
        now, self._now = self._now, []
        for followed, number, call in now:
            moves: Moves = followed.along
            parameter = call.parameter.read(self.inspection.pending)
            gradient = call.gradients.read(self.inspection.pending, call.parameter.arrays)
            moves.window = moves.window if parameter and gradient else []
            moved = moves.add(Row(number, call.kind, parameter, gradient)) if parameter and gradient else None
            if moved is not None and moves.is_shown(*moved):
                followed.is_sure = followed.changes = True
            if moved is not None and moves.whole and not self.inspection.recorder.applied:
                self._judge(moves, *moved, call.site)
            moves.whole = moves.whole or moved is not None
            windows = len(moves.window) > 1 or moves.left_out.awaits
            if self._asked < (ASKED_OF_WINDOWS if windows else 0 if followed.is_known else ASKED):
                self._asked += 1
                self.inspection.wanted = True

    def _judge(self, moves: Moves, move: Sketch, calls: list[Row], site: tuple[str, int]) -> None:
        """Report calls that a move leaves out."""
        read = [one.gradient for one in calls]
        if fact := moves.left_out.fact(last_of(move, read)[0], [one.kind for one in calls], read):
            self.inspection.recorder.fact(fact, site)
        self._usual = moves.left_out.usual

    def finish(self) -> None:
        """Report calls that nothing came after, where a module is given what accumulates."""
        recorder = self.inspection.recorder
        left = recorder.gradients - self._left
        if self._usual > 1 and 0 < left < self._usual and self._left and not recorder.applied:
            recorder.fact(GradientsDropped(calls=left, of=self._usual, at_end=True), recorder.gradient_site)


def _along(move: Sketch, slope: Sketch, parameter: Sketch) -> bool:
    """Tell whether a move is along gradients, and for a lesser part along the parameter: weight decay."""
    decayed = weights(move, [slope, parameter])
    mostly = decayed and abs(decayed[0]) * length(slope.values) > abs(decayed[1]) * length(parameter.values)
    return bool(mostly or weights(move, [slope]))


def _by_sign(move: Sketch, slope: Sketch) -> bool:
    """Tell whether all elements move equally far, as their gradients' signs say."""
    pairs = [(one, gradient) for one, gradient in zip(move.values, slope.values, strict=True) if gradient]
    sizes = [abs(one) for one, _ in pairs]
    ways = {(one < 0) == (gradient < 0) for one, gradient in pairs}
    return len(pairs) >= ENOUGH and len(ways) == 1 and 0 < max(sizes) <= (1 + TOLERANCE) * min(sizes)
