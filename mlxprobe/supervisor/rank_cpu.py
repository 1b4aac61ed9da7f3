"""CPU use of ranks during a silence: asleep, on a processor, or waiting for one.

Ranks that only wait for others spin too, so a tree's time on processors says nothing of the one that they wait for. Who
spins are the threads that carry their messages. What such a thread has received it hands to one that sleeps; where all
others of every rank have slept on, and each carrier had a processor long enough, nothing is under way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from mlxprobe.system.interface import ASLEEP, Thread
from mlxprobe.system.system import system

WANTED = 0.6  # of a processor, used or waited for
CARRIES_S = 0.25  # of a processor: 8 MB take a tenth of it


class CpuUsage(NamedTuple):
    """What a rank, with all below it, has used of processors and waited for them so far; and its threads.

    `carried_s` is what each of those used that carry its messages.
    """

    used_s: float
    wanted_s: float
    threads: Sequence[Thread]
    carried_s: Mapping[int, float] = {}


def cpu_usage(pid: int, but: Collection[str] = (), carriers: Collection[str] = ()) -> CpuUsage:
    """Return the CPU use of a rank and its descendants, without some threads."""
    pids = [pid, *system.descendants(pid)]
    times = {number: times for one in pids for number, times in system.times(one, but).items()}
    used_ns = sum(one.used_ns for one in times.values())
    carried_s = {number: one.used_ns / 1e9 for number, one in times.items() if str(number) in carriers}
    return CpuUsage(used_ns / 1e9, sum(map(sum, times.values())) / 1e9, sorted(system.threads(pids, but)), carried_s)


class RankCpuUsage:
    """Some ranks `of` all between two looks; those who were not there at both have had no time at all."""

    def __init__(
        self, early: Mapping[int, CpuUsage], late: Mapping[int, CpuUsage], passed_s: float, of: Collection[int]
    ) -> None:
        self._all = [(early.get(pid), now) for pid, now in late.items()]
        self._pairs = [(early.get(pid), late[pid]) for pid in of if pid in late]
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

    def _wants(self, pair: tuple[CpuUsage | None, CpuUsage]) -> bool:
        early, late = pair
        if early is None or _slept(pair):
            return early is None
        ready = early.threads == late.threads  # what it waits for now enters its times later
        return ready or late.wanted_s - early.wanted_s > WANTED * self._passed_s

    def had_s(self, silent_s: float) -> float:
        """Return for how long of a silence each of them could have moved, at the least; who sleeps always could."""
        if self._all and all(map(_carries_nothing, self._all)):
            return silent_s
        return min((self._had_s(pair, silent_s) for pair in self._pairs), default=math.inf)

    def _had_s(self, pair: tuple[CpuUsage | None, CpuUsage], silent_s: float) -> float:
        early, late = pair
        if _slept(pair):
            return silent_s
        used_s = late.used_s - early.used_s if early else 0.0
        return silent_s * min(1.0, used_s / self._passed_s)


def _slept(pair: tuple[CpuUsage | None, CpuUsage]) -> bool:
    """Check whether no thread has left its sleep between two samples."""
    early, late = pair
    return early is not None and early.threads == late.threads and all(one.state == ASLEEP for one in late.threads)


def _carries_nothing(pair: tuple[CpuUsage | None, CpuUsage]) -> bool:
    """Check whether between two samples no thread has left its sleep except carriers that had nothing to hand over."""
    early, late = pair
    if early is None or not early.carried_s or early.carried_s.keys() != late.carried_s.keys():
        return False
    spun = {number for number, before_s in early.carried_s.items() if late.carried_s[number] - before_s > CARRIES_S}
    ours, theirs = ([one for one in look.threads if one.number not in spun] for look in (early, late))
    return ours == theirs and all(one.state == ASLEEP for one in theirs)


def cpu_usage_of(pids: Iterable[int], but: Collection[str] = (), carriers: Collection[str] = ()) -> dict[int, CpuUsage]:
    """Return the CPU use of some ranks."""
    return {pid: cpu_usage(pid, but, carriers) for pid in pids}
