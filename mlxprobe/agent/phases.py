"""What the program's time goes to, from one evaluation to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STEPS, BETWEEN, OTHER, SAVING, TRACING = "steps", "between steps", "other evaluations", "saving", "tracing"
WORTH_S = 5e-4  # an evaluation that is shorter only reads a value


class Phases:
    """Give each stretch of time to a step (gradients, update, evaluation), to another evaluation, or to neither."""

    def __init__(self) -> None:
        self.totals: dict[str, list[Any]] = {}  # seconds, times, the slowest
        self.peak: Callable[[], int] = lambda: 0
        self.peak_bytes = 0
        self.peak_in = ""
        self._last_s = self._stepped_s = 0.0
        self._was_open = False
        self._open = False  # gradients or an update wait for their evaluation

    def begins(self, now_s: float) -> None:
        """A gradient call begins."""
        self._was_open = self._open
        if not self._open:
            self._add(BETWEEN, now_s - self._last_s if self._last_s else 0.0)
            self._last_s, self._open = now_s, True

    def goes_on(self) -> None:
        """What has just begun was no gradient call."""
        self._open = self._was_open

    def updated(self) -> None:
        """An optimizer has updated."""
        self._open = True

    def evaluated(self, began_s: float, now_s: float) -> None:
        """Something was evaluated."""
        if self._open:
            self._add(STEPS, now_s - self._last_s)
            self._stepped_s = now_s
        elif self._last_s and now_s - began_s > WORTH_S:
            self._add(OTHER, now_s - self._last_s)
        else:
            return
        self._last_s, self._open = now_s, False

    def stepped_s(self, now_s: float) -> float:
        """Return when the last step's work was done: now, where it still waits to be evaluated."""
        return now_s if self._open else self._stepped_s or now_s

    def took(self, name: str, began_s: float, now_s: float) -> None:
        """Something was traced, or saved, which took from `began_s` to `now_s`."""
        if self._last_s:
            self._add(STEPS if self._open else BETWEEN, began_s - self._last_s)
        self._add(name, now_s - began_s)
        self._last_s = now_s

    def _add(self, name: str, seconds: float) -> None:
        total = self.totals.get(name)
        if total is None:
            total = self.totals[name] = [0.0, 0, 0.0]
        total[0] += seconds
        total[1] += 1
        if seconds > total[2]:  # noqa: PLR1730 - at each step, twice: `max` takes longer
            total[2] = seconds
        peak = self.peak()
        if peak > self.peak_bytes:
            self.peak_bytes, self.peak_in = peak, name
