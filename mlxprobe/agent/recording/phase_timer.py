"""What the program's time goes to, from one evaluation to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STEPS, BETWEEN, OTHER, SAVING, TRACING = "steps", "between steps", "other evaluations", "saving", "tracing"
OURS = "mlxprobe"  # the agent's own work at sampled steps
WORTH_S = 5e-4  # an evaluation that is shorter only reads a value


class Phases:
    """Give each stretch of time to a step (gradients, update, evaluation), to another evaluation, or to neither."""

    def __init__(self) -> None:
        self._totals: dict[str, list[Any]] = {}  # seconds, times, the slowest
        self._steps: list[float] = []  # not in the totals yet
        self._between: list[float] = []
        self.peak: Callable[[], int] = lambda: 0
        self.line_between: Callable[[], str] = lambda: ""  # that most of the time between steps goes to
        self.peak_bytes = 0
        self.peak_in = ""
        self._last_s = self._stepped_s = 0.0
        self._ours_s = 0.0  # of the stretch under way
        self._was_open = False
        self.open = False  # gradients or an update wait for their evaluation

    @property
    def totals(self) -> dict[str, list[Any]]:
        """Return the seconds of each phase, how many stretches of it there were, and the longest."""
        self.add_up()
        return self._totals

    def add_up(self) -> None:
        """Take what has been gathered into the totals: it is to be done now and then, and not at each step."""
        for name, seconds in ((BETWEEN, self._between), (STEPS, self._steps)):
            if seconds:
                self._add(name, sum(seconds), len(seconds), max(seconds))
                seconds.clear()

    def paid(self, seconds: float) -> None:
        """Take time that the agent needed out of the stretch under way."""
        self._ours_s += seconds * bool(self._last_s)

    def _own_s(self, whole_s: float) -> float:
        """Return the program's own part of the stretch that ends, and enter the agent's."""
        ours_s, self._ours_s = min(self._ours_s, whole_s), 0.0
        if ours_s:
            self._add(OURS, ours_s, 1, ours_s)
        return whole_s - ours_s

    def begins(self, now_s: float) -> None:
        """A gradient call begins."""
        if self.open:
            self._was_open = True
            return
        between_s = now_s - self._last_s if self._last_s else 0.0
        self._between.append(self._own_s(between_s) if self._ours_s else between_s)
        if (peak := self.peak()) > self.peak_bytes:
            self.peak_bytes, self.peak_in = peak, BETWEEN
        self._last_s, self.open, self._was_open = now_s, True, False

    def goes_on(self) -> None:
        """What has just begun was no gradient call."""
        self.open = self._was_open

    def evaluated(self, began_s: float, now_s: float) -> None:
        """Something was evaluated."""
        if self.open:
            step_s = now_s - self._last_s
            self._steps.append(self._own_s(step_s) if self._ours_s else step_s)
            if (peak := self.peak()) > self.peak_bytes:
                self.peak_bytes, self.peak_in = peak, STEPS
            self._last_s, self.open, self._stepped_s = now_s, False, now_s
        elif self._last_s and now_s - began_s > WORTH_S:
            self._spent(OTHER, self._own_s(now_s - self._last_s))
            self._last_s = now_s

    def stepped_s(self, now_s: float) -> float:
        """Return when the last step's work was done: now, where it still waits to be evaluated."""
        return now_s if self.open else self._stepped_s or now_s

    def took(self, name: str, began_s: float, now_s: float) -> None:
        """Something was traced, or saved, which took from `began_s` to `now_s`."""
        if self._last_s:
            self._spent(STEPS if self.open else BETWEEN, self._own_s(began_s - self._last_s))
        self._spent(name, now_s - began_s)
        self._last_s = now_s

    def _add(self, name: str, seconds: float, times: int, longest: float) -> None:
        total = self._totals.setdefault(name, [0.0, 0, 0.0])
        total[:] = total[0] + seconds, total[1] + times, max(total[2], longest)

    def _spent(self, name: str, seconds: float) -> None:
        self._add(name, seconds, 1, seconds)
        peak = self.peak()
        if peak > self.peak_bytes:
            self.peak_bytes, self.peak_in = peak, name
