"""Stretches in which the whole machine stood: a laptop slept, a batch system held the job. No step took them."""

from __future__ import annotations

import time

from mlxprobe.schema.observation import Step

LEAST_S = 5.0  # less is a busy machine
CPU_SHARE = 0.1  # more of it, and it was we who were busy
MOST = 100


class Pauses:
    """The pauses of our own loop, as seconds since a start."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._found: list[tuple[float, float]] = []
        self._polled_s, self._used_s = time.monotonic(), time.process_time()

    def passed_s(self) -> float:
        """Return how long it is since we were asked last, and note where that was a pause."""
        before_s, used_s = self._polled_s, self._used_s
        self._polled_s, self._used_s = time.monotonic(), time.process_time()
        passed_s = self._polled_s - before_s
        if passed_s > LEAST_S and self._used_s - used_s < CPU_SHARE * passed_s:
            self._found.append((before_s - self._started_s, self._polled_s - self._started_s))
            del self._found[:-MOST]
        return passed_s

    def took_s(self, step: Step) -> float:
        """Return what a step took without the pauses in it."""
        began_s = step.t_s - step.step_s
        return step.step_s - sum(max(0.0, min(end, step.t_s) - max(start, began_s)) for start, end in self._found)
