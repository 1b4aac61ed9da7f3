"""Which steps are looked at, and what may be drawn at them: paid out of the program's own time, and foreseen."""

from __future__ import annotations

from mlxprobe.agent.graph.kernel_build_cost import Kernels

SHARE = 0.005  # of the run so far: for all looks together, and for the dearest of them
ONE_LOOK_S = 0.02  # what a look may cost before the run so far pays for it
FIRST_S = 0.1  # what the first looks may cost together: what is found must not hang on how fast a machine is
DRAWN_PER_S = 8e5  # operations. A figure that were measured would make what is found depend on who else computes
SETTLED = 8  # the step by which an update that is never evaluated shows it
EARLY = {3, 6, 12}
ODD = 5  # from this power of two on, every other one is moved by one
SURE = 3  # drawings that show growth
PROVED, GROWS = 7, 10  # steps or drawings in a row, to step 8 at the earliest, by operations per step
AS_FORESEEN = 0.75  # of the operations that there would be
FEW = 100  # operations that are drawn in any case


def is_landmark(step: int) -> bool:
    """Tell 1, 2, 3, 4, 6, 8, 12, 16, 33, 64, 129 … from the rest: some early ones show a slope, later ones are few.

    Of models that take turns each is to be seen: not all are even.
    """
    return step in EARLY or step == _late(step.bit_length() - 1)


def _late(power: int) -> int:
    return (1 << max(0, power)) + (power >= ODD and power % 2)


def next_landmark(step: int) -> int:
    """Return the first landmark that is not before a step."""
    power = step.bit_length()
    return min(one for one in (*EARLY, _late(power - 1), _late(power)) if one >= step)


class Drawing:
    """What the last drawing of one thing showed, and by how many operations it had grown per step."""

    def __init__(self, step: int, operations: int, growth: float) -> None:
        self.step = step
        self.operations = operations
        self.growth = growth
        self.times = 1
        self.rises = 0  # drawings in a row that had grown

    def by(self, step: int) -> float:
        """Return how many operations there will be at a step, if it grows as it did."""
        return self.operations + self.growth * (step - self.step)


class Looks:
    """Spend on looks what the run so far pays for, and leave out what is foreseen to cost more.

    What others compute meanwhile costs nothing; imports and kernels are paid for, but tell nothing of the next look.
    """

    def __init__(self) -> None:
        self.kernels = Kernels()
        self.began_s = 0.0  # the first gradient call
        self.complete_ones = 0  # looks
        self._spent_s = self._once_s = 0.0  # and what is spent once, on imports
        self.paid_s = 0.0  # when the run will have paid for what was spent
        self._this_s = 0.0  # spent on the look under way
        self._usual_s = 0.0  # the lesser of the last two looks: what else the machine does only adds to one
        self._before_s = 0.0
        self._to_draw_s = self._allows_s = ONE_LOOK_S  # left for drawing at this look, and what each may take
        self._drawings: dict[str, Drawing] = {}
        self._per_step = 0.0  # operations, by the thing that grew most

    def spend(self, seconds: float, once_s: float = 0.0) -> None:
        """A part of a look took this long, without what it took to import what no other will."""
        self._this_s += seconds
        self._spent_s += seconds
        self._once_s += once_s
        self.paid_s = self.began_s + (self._spent_s + self._once_s) / SHARE

    def is_due(self, step: int, now_s: float) -> bool:
        """Tell whether to look at a step that is about to begin."""
        if now_s >= self.paid_s:
            return True
        a_step_s = (now_s - self.began_s) / step  # as slow as the machine is, as a look is
        affordable = self._spent_s < FIRST_S or self._usual_s <= max(self._allowed_s(now_s), a_step_s)
        return is_landmark(step) and affordable

    def complete(self, now_s: float) -> None:
        """A look is complete; the first makes and imports what the others find."""
        self._usual_s, self._before_s = min(self._this_s, self._before_s), self._this_s
        self._this_s = 0.0
        self.complete_ones += 1
        self.refresh(now_s)

    def refresh(self, now_s: float) -> None:
        """Allow drawing anew."""
        self._to_draw_s = self._allows_s = self._allowed_s(now_s)

    def has_proved(self, what: str) -> bool:
        """Tell whether something has grown for so long that drawing it would tell nothing new."""
        return what in self._drawings and self._drawings[what].rises >= PROVED

    def spares_drawing(self, what: str, step: int, lazy_steps: int) -> bool:
        """Tell whether what has grown need not be drawn yet: nothing was evaluated since, and a later step tells."""
        last = self._drawings.get(what)
        return last is not None and last.rises >= SURE and step < SETTLED and lazy_steps >= step - last.step

    def doubt(self, what: str) -> None:
        """What had grown may have been evaluated: its growth is to be proved anew."""
        if what in self._drawings:
            self._drawings[what].rises = 0

    def affords(self, what: str, step: int, lazy_steps: int, weight: float = 1.0) -> bool:
        """Tell whether something may be drawn, of which an operation costs `weight` times what drawing it does.

        Drawing cannot be interrupted: the number of operations is an estimate from the last drawings, rather too high.
        """
        operations = self._expected(what, step, lazy_steps)
        return operations <= FEW or weight * operations / DRAWN_PER_S <= self._to_draw_s

    def spares(self, seconds: float) -> bool:
        """Tell whether a look may take so long for one thing, whatever it has drawn."""
        return seconds <= self._allows_s

    def drawn(self, what: str, step: int, operations: int, weight: float = 1.0) -> None:
        """Remember a drawing."""
        self._to_draw_s -= weight * operations / DRAWN_PER_S
        last = self._drawings.get(what)
        if last is not None and last.step == step:
            last.operations = max(operations, last.operations)
            return
        grown, since = (operations, max(1, step)) if last is None else (operations - last.operations, step - last.step)
        growth = max(0.0, grown / since)
        drawing = Drawing(step, operations, growth)
        if last is not None:
            drawing.times += last.times
        if growth >= GROWS:
            drawing.rises = 1 + (last.rises if last is not None else 0)
            if last is not None and step <= SETTLED and operations >= AS_FORESEEN * last.by(step):
                drawing.rises += step - last.step - 1  # in between it has grown too
        self._drawings[what] = drawing
        self._per_step = max(self._per_step, growth)

    def _expected(self, what: str, step: int, lazy_steps: int) -> float:
        """Return how many operations are foreseen; where one thing grows without end, what is new may hold as many."""
        last, fresh = self._drawings.get(what), self._per_step * (1 + lazy_steps)
        if last is not None:
            return last.by(step) if last.times > 1 else last.operations + fresh
        alive = [one.by(step) for one in self._drawings.values() if one.times >= SURE and 2 * one.step >= step]
        return max([fresh, *alive])

    def _allowed_s(self, now_s: float) -> float:
        return max(ONE_LOOK_S, SHARE * (now_s - self.began_s))
