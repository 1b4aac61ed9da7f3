"""How long to wait for another process's answer: not while it waits for a processor itself."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_S = 0.004
LONGEST_GAP_S = 0.02  # of a pause of our own, no more than this counts
MAX_LIMITS = 10.0  # limits in all, however busy the machine is


class Deadline:
    """A limit in seconds that does not count down while `starved` holds. The waiting loop calls `lasts` each time."""

    def __init__(self, limit_s: float, starved: Callable[[], bool] = lambda: False) -> None:
        self.left_s = limit_s
        self._starved = starved
        self._looked_s = time.monotonic()
        self._ends_s = self._looked_s + MAX_LIMITS * limit_s

    def lasts(self) -> bool:
        """Pause for a moment; return whether there is time for another look."""
        time.sleep(LOOK_S)
        now_s = time.monotonic()
        if not self._starved():
            self.left_s -= min(now_s - self._looked_s, LONGEST_GAP_S)
        self._looked_s = now_s
        return self.left_s > 0 and now_s < self._ends_s
