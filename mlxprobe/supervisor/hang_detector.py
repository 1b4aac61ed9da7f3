"""Decide whether a silent program hangs, and how, from its stacks at half the stall limit and at its end.

In between its threads are sampled up to ten times a second, which costs the program nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.observation import Silence, Stack
from mlxprobe.supervisor.pyspy_stacks import with_native
from mlxprobe.supervisor.rank_cpu import CpuUsage, RankCpuUsage
from mlxprobe.supervisor.sample import TreeSampler
from mlxprobe.supervisor.stacks import lines_of
from mlxprobe.system.interface import ASLEEP, READY, STOPPED, Thread
from mlxprobe.system.system import system

FIRST_SHARE = 0.25  # of the limit, after which ranks are sampled first
REST_SHARE = 0.25  # of the limit: the shortest sleep of a whole tree that is a deadlock
STALL_CPU_SHARE = 0.25
STARVED_CPU_SHARE = 0.05
WANTED_CPU_SHARE = 0.6  # used or waited for, where others use the machine too
PRINTING_BYTES_PER_S = 1e6  # who prints more is held back by the full pipe, and busy however little CPU that takes
OVERDUE = 2.0  # limits, after which an unclear silence counts too
STARVED_OVERDUE = 10.0  # where some thread was mostly about to move: it got no processor, or its disk is slow
SOON = 10.0  # limits: no sleep that ends by then is a deadlock
AGAIN_S = 0.1  # between two samples of a silence, at least
AGAIN_SHARE, AGAIN_MOST_S = 0.05, 0.5  # of the limit; a program may be silent for hours, and must not keep us busy


class TreeState(NamedTuple):
    """The stacks at one moment, the CPU seconds that the program had wanted by then, and the CPU use of its ranks."""

    at_s: float
    wanted_s: float
    stacks: tuple[Stack, ...]
    ranks: Mapping[int, CpuUsage]


class HangDetector:
    """The present silence of one program. `silence` is the last one that was classified."""

    def __init__(
        self,
        child: SilentProcess,
        stacks: StackReader,
        log: TreeProcesses,
        tree: TreeSampler,
        soon_s: float | None = None,
    ) -> None:
        self._soon_s = soon_s  # no sleep that ends by then is a deadlock; None: as the limit says
        self.stacks = stacks
        self.silence: Silence | None = None
        self._child = child
        self._log = log
        self._tree = tree
        self._early: TreeState | None
        self._ranks: tuple[float, Mapping[int, CpuUsage]] | None  # as they were before anybody asked them for stacks
        self.drop()

    def drop(self) -> None:
        """The program has moved."""
        self._early, self._sleep, self._ranks = None, SleepTracker(), None
        self._again_s = self._from_s = 0.0
        self._printed_before = self._child.printed_bytes
        self._answering_s = self._answering_wanted_s = 0.0  # what our own questions cost the program

    def again(self, silent_s: float) -> None:
        """Confirm the hang again, with samples that begin once the silence has lasted `silent_s`."""
        self._early, self._sleep, self._from_s, self._ranks = None, SleepTracker(), silent_s, None

    def is_proved(
        self,
        silent_s: float,
        limit_s: float,
        busy_s: float | None = None,
        keeping: Callable[[Collection[int]], Collection[int] | None] = lambda _: None,
        quiet_s: float = 0.0,
    ) -> bool:
        """Look where a look is due; an unclear silence gets a second limit's time before it counts.

        `keeping` names the ranks without whose move the others cannot go on, given those that have answered us; None
        where there are not several. What no move helps needs no processor: for that all counts that passed, `quiet_s`.
        """
        limit_end_s, passed_s = self._from_s + limit_s, max(silent_s, quiet_s)
        if self._ranks is None and passed_s > self._from_s + FIRST_SHARE * limit_s:
            self._ranks = time.monotonic(), self._log.rank_usage()
        if passed_s <= max(self._from_s + limit_s / 2, self._again_s):
            return False
        again_s = passed_s + min(max(AGAIN_S, AGAIN_SHARE * limit_s), AGAIN_MOST_S)
        self._again_s = again_s if passed_s > limit_end_s else min(again_s, limit_end_s)
        if self._early is None or (passed_s <= limit_end_s and not self._early.stacks):
            stacks = self._take_stacks(final=False)
            self._early = TreeState(time.monotonic(), self._wanted_s(), stacks, self._log.rank_usage())
        self._tree.scan()
        self._sleep.look(self._tree.threads(self._log.own_threads, self._log.above), time.monotonic())
        if passed_s <= limit_end_s or self._early.at_s > time.monotonic() - AGAIN_S:
            return False
        busy_s = limit_s if busy_s is None else busy_s
        late = keeping({stack.pid for stack in self._early.stacks})
        if silent_s <= limit_end_s and (late is None or late):
            return False
        if late is not None:
            return self._is_proved_of(late, silent_s, limit_s, busy_s, self._early)
        starved = self._sleep.always_ready or self._wants_all(self._early)
        overdue = silent_s - self._from_s > limit_s * (STARVED_OVERDUE if starved else OVERDUE)
        found = self._classify(silent_s, limit_s, busy_s, self._early, overdue)
        if found.kind in (HangKind.DEADLOCK, HangKind.STALL) or overdue:
            self.silence = found
        return self.silence is found

    def _is_proved_of(
        self, ranks: Collection[int], silent_s: float, limit_s: float, busy_s: float, early: TreeState
    ) -> bool:
        """Check whether ranks hang: those that must move could have for longer than a limit, or no move helps."""
        rank_usage, had_s = self._rank_usage(ranks, early, silent_s)
        waits = system.outside(rank_usage.sleeping, self._soon_s or SOON * limit_s, lines_of(early.stacks))
        overdue = silent_s - self._from_s > limit_s * (STARVED_OVERDUE if rank_usage.wants else OVERDUE)
        if not overdue and (waits or had_s <= busy_s):
            return False
        moves = bool(ranks) or not set(early.ranks) <= {stack.pid for stack in early.stacks}  # or where is not known
        found = self._classify(silent_s, limit_s, 0.0, early, overdue or not early.stacks, looks=moves)
        if waits:
            found = msgspec.structs.replace(found, kind=HangKind.WAITING, waits=waits)
        self.silence = found
        return True

    def _rank_usage(self, ranks: Collection[int], early: TreeState, silent_s: float) -> tuple[RankCpuUsage, float]:
        """Compare ranks with each earlier sample of them, one of which our requests for stacks may have disturbed.

        Return how they used the time since the later one, and for how long they could have moved.
        """
        late, now_s = self._log.rank_usage(), time.monotonic()
        looks = [*([self._ranks] if self._ranks else []), (early.at_s, early.ranks)]
        usages = [RankCpuUsage(before, late, now_s - at_s, ranks) for at_s, before in looks]
        return usages[-1], max(one.had_s(silent_s) for one in usages)

    def now(self, silent_s: float) -> Silence:
        """Return the silence of a program that is about to be ended: the confirmed one, or its present state."""
        if self.silence is not None and silent_s >= self.silence.silent_s:
            return msgspec.structs.replace(self.silence, silent_s=silent_s)
        return self.described(silent_s)

    def described(self, silent_s: float) -> Silence:
        """Return the CPU use and stacks of a program that is about to be ended; this confirms no hang."""
        cpu_s, stacks = self._cpu_used(silent_s), self._take_stacks(final=True)
        return Silence(silent_s=silent_s, cpu_s=cpu_s, kind=HangKind.UNKNOWN, stacks=stacks)

    def look_inside(self) -> None:
        """Add the native calls of its threads to the confirmed silence."""
        if self.silence is not None:
            self.silence = msgspec.structs.replace(self.silence, stacks=with_native(self.silence.stacks))

    def _classify(
        self, silent_s: float, limit_s: float, busy_s: float, early: TreeState, overdue: bool, *, looks: bool = True
    ) -> Silence:
        cpu_s, threads = self._cpu_used(silent_s), self._sleep.threads
        rest_s = self._sleep.lasted_s(time.monotonic())
        rests = rest_s > REST_SHARE * limit_s and not (self._log.on_gpu or self._prints(silent_s))
        waits = system.outside(threads, self._soon_s or SOON * limit_s, lines_of(early.stacks))
        busy = not rests and self._is_busy(cpu_s, silent_s, early)
        wants_all = self._sleep.always_ready or self._wants_all(early)  # and then it computes while it has a processor
        stalls = busy and (overdue or (cpu_s if wants_all else silent_s) > busy_s)
        late = self._take_stacks(final=stalls or overdue) if (stalls and looks) or rests or overdue else ()
        kind = HangKind.UNKNOWN
        if busy:
            kind = HangKind.STALL if stalls else HangKind.UNKNOWN
        elif waits:
            kind = HangKind.WAITING
        elif rests and unmoved(early.stacks, late):
            kind = HangKind.DEADLOCK
        return Silence(
            silent_s=silent_s,
            cpu_s=cpu_s,
            kind=kind,
            stacks=late or early.stacks,
            rest_s=rest_s,
            threads=len(threads),
            waits=waits or _restless({one.state for one in threads}, runs=cpu_s > STALL_CPU_SHARE * silent_s),
        )

    def _is_busy(self, cpu_s: float, silent_s: float, early: TreeState) -> bool:
        wants = cpu_s > STARVED_CPU_SHARE * silent_s and self._wants_all(early)  # who gets nothing may be about to move
        return wants or cpu_s > STALL_CPU_SHARE * silent_s or self._prints(silent_s)

    def _cpu_used(self, silent_s: float) -> float:
        self._tree.sample(rescan=True)
        used_s = self._tree.cpu_since(time.monotonic() - self._child.started_s - silent_s)
        return max(0.0, used_s - self._answering_s)

    def _wanted_s(self) -> float:
        return self._tree.wanted_s(self._log.own_threads) - self._answering_wanted_s

    def _wants_all(self, early: TreeState) -> bool:
        passed_s = time.monotonic() - early.at_s
        return self._wanted_s() - early.wanted_s > WANTED_CPU_SHARE * passed_s

    def _prints(self, silent_s: float) -> bool:
        return self._child.printed_bytes - self._printed_before > PRINTING_BYTES_PER_S * silent_s

    def _take_stacks(self, *, final: bool) -> tuple[Stack, ...]:
        asked = self._log.asked(self._tree.scan())
        cpu_s, wanted_s = self._tree.sample().cpu_s, self._tree.wanted_s(self._log.own_threads)
        found = self.stacks.take(asked, final=final) if asked else ()
        self._answering_s += self._tree.sample().cpu_s - cpu_s
        self._answering_wanted_s += self._tree.wanted_s(self._log.own_threads) - wanted_s
        return found


def _restless(states: set[str], *, runs: bool) -> str:
    """Say what keeps a tree from being at rest, by its threads' states."""
    if states & set(STOPPED):
        return "a signal to go on: it is stopped"
    return "a disk" if "D" in states else "a processor" if "R" in states and not runs else ""


def unmoved(early: Sequence[Stack], late: Sequence[Stack]) -> bool:
    """Check whether all threads of every process that answered both times are at the same lines."""
    both = {stack.pid for stack in early} & {stack.pid for stack in late}
    return bool(both) and _positions(early, both) == _positions(late, both)


def _positions(stacks: Sequence[Stack], pids: Collection[int]) -> list[tuple[object, ...]]:
    return sorted((s.pid, s.thread, tuple((f.file, f.line) for f in s.frames)) for s in stacks if s.pid in pids)


class SilentProcess(Protocol):
    """A child that we have started, or a process that ran already."""

    started_s: float
    printed_bytes: int


class StackReader(Protocol):
    """Takes stacks: those that agents write, or those that are read from outside."""

    def take(self, programs: Mapping[int, Iterable[int]], *, final: bool = False) -> tuple[Stack, ...]:
        """Return the stacks of those that answered."""


class TreeProcesses(Protocol):
    """What is known of a tree's processes apart from what the system reports."""

    @property
    def own_threads(self) -> Collection[str]:
        """The threads that do not count."""

    @property
    def above(self) -> Collection[int]:
        """The processes that only wait for others."""

    @property
    def on_gpu(self) -> bool:
        """Whether any computes on a device whose load cannot be read."""

    def rank_usage(self) -> Mapping[int, CpuUsage]:
        """Return the CPU use of the processes of a group of ranks."""

    def asked(self, living: Collection[int]) -> Mapping[int, Iterable[int]]:
        """Return whom to ask for stacks, each with its forks."""


class SleepTracker:
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
        """Check whether in every sample some thread ran, or waited for a processor or a disk."""
        return self._looks > 0 and self._ready == self._looks
