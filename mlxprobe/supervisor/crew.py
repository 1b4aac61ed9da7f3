"""How ranks have spent a silence: asleep, on a processor, or in want of one.

Ranks that only wait for others spin too, so a tree's time on processors says nothing of the one that they wait for.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from mlxprobe.platform.interface import ASLEEP, Thread
from mlxprobe.platform.system import system

WANTED = 0.6  # of a processor, used or waited for


class Spent(NamedTuple):
    """What a rank, with all below it, has used of processors and waited for them so far; and its threads."""

    used_s: float
    wanted_s: float
    threads: Sequence[Thread]


def spent(pid: int, but: Collection[str] = ()) -> Spent:
    """Look at a rank and all below it; without some threads."""
    pids = [pid, *system.descendants(pid)]
    times = [times for one in pids for times in system.times(one, but).values()]
    used_ns = sum(one.used_ns for one in times)
    return Spent(used_ns / 1e9, sum(map(sum, times)) / 1e9, sorted(system.threads(pids, but)))


class Crew:
    """Some ranks between two looks; those who were not there at both have had no time at all."""

    def __init__(self, early: Mapping[int, Spent], late: Mapping[int, Spent], passed_s: float) -> None:
        self._pairs = [(early.get(pid), now) for pid, now in late.items()]
        self._passed_s = passed_s

    @property
    def sleeping(self) -> list[Thread]:
        """The threads of all, where every one of them has slept all the time; else none."""
        rests = all(map(_slept, self._pairs))
        return [one for _, now in self._pairs for one in now.threads] if rests else []

    @property
    def wants(self) -> bool:
        """Whether any of them wanted a processor all the time, had or not."""
        return any(map(self._wants, self._pairs))

    def _wants(self, pair: tuple[Spent | None, Spent]) -> bool:
        early, late = pair
        if early is None or _slept(pair):
            return early is None
        ready = early.threads == late.threads  # what it waits for now enters its times later
        return ready or late.wanted_s - early.wanted_s > WANTED * self._passed_s

    def had_s(self, silent_s: float) -> float:
        """Return for how long of a silence each of them could have moved, at the least; who sleeps always could."""
        return min((self._had_s(pair, silent_s) for pair in self._pairs), default=math.inf)

    def _had_s(self, pair: tuple[Spent | None, Spent], silent_s: float) -> float:
        early, late = pair
        if _slept(pair):
            return silent_s
        used_s = late.used_s - early.used_s if early else 0.0
        return silent_s * min(1.0, used_s / self._passed_s)


def _slept(pair: tuple[Spent | None, Spent]) -> bool:
    """Tell whether no thread has left its sleep between two looks."""
    early, late = pair
    return early is not None and early.threads == late.threads and all(one.state == ASLEEP for one in late.threads)


def looked_at(pids: Iterable[int], but: Collection[str] = ()) -> dict[int, Spent]:
    """Look at some ranks."""
    return {pid: spent(pid, but) for pid in pids}
