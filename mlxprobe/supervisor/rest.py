"""For how long the threads of a tree have slept, from one look to the next."""

from __future__ import annotations

from collections.abc import Sequence

from mlxprobe.system.interface import ASLEEP, READY, Thread


class Rest:
    """Follow the threads of a tree from look to look.

    A thread that sleeps at two looks, and has left no processor in between, was on none: it slept all the time. CPU
    times cannot show that: what a thread has waited for a processor enters them only once it gets one.
    """

    def __init__(self) -> None:
        self.since_s: float | None = None  # the first of the looks that found all asleep and nothing changed
        self.threads: Sequence[Thread] = ()
        self._looks = self._ready = 0

    def look(self, found: Sequence[Thread], now_s: float) -> None:
        """Take in what a look has found."""
        same = sorted(found) == sorted(self.threads)
        if not found or any(one.state != ASLEEP for one in found):
            self.since_s = None
        elif self.since_s is None or not same:
            self.since_s = now_s
        self.threads = found
        self._looks += 1
        self._ready += any(one.state in READY for one in found)

    def lasted_s(self, now_s: float) -> float:
        """Return for how long every thread has slept without a break."""
        return 0.0 if self.since_s is None else now_s - self.since_s

    @property
    def always_ready(self) -> bool:
        """Tell whether at every look some thread ran, or waited for a processor or a disk."""
        return self._looks > 0 and self._ready == self._looks
