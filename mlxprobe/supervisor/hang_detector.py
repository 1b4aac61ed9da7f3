"""Is a silent program stuck, and how? Its stacks are looked at twice, at half the stall limit and when it is up.

Its threads are looked at up to ten times a second in between: that costs the program nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.observation import Silence, Stack
from mlxprobe.supervisor.pyspy_stacks import with_native
from mlxprobe.supervisor.rank_cpu import Crew, Spent
from mlxprobe.supervisor.sample import TreeSampler
from mlxprobe.supervisor.stacks import lines_of
from mlxprobe.system.interface import ASLEEP, READY, STOPPED, Thread
from mlxprobe.system.system import system

FIRST_SHARE = 0.25  # of the limit, after which ranks are looked at first
REST_SHARE = 0.25  # of the limit: what a tree has slept through, at the least, when it is told to be dead
STALL_CPU_SHARE = 0.25
STARVED_CPU_SHARE = 0.05
WANTED_CPU_SHARE = 0.6  # used or waited for, where others use the machine too
PRINTING_BYTES_PER_S = 1e6  # who prints more is held back by the full pipe, and busy however little CPU that takes
OVERDUE = 2.0  # limits, after which an unclear silence counts too
STARVED_OVERDUE = 10.0  # where some thread was mostly about to move: it got no processor, or its disk is slow
SOON = 10.0  # limits: no sleep that ends by then is a deadlock
AGAIN_S = 0.1  # from one look at a silence to the next, at the least
AGAIN_SHARE, AGAIN_MOST_S = 0.05, 0.5  # of the limit; a program may be silent for hours, and must not keep us busy


class Look(NamedTuple):
    """Where the program stood, the CPU seconds that it had wanted by then, and what its ranks had."""

    at_s: float
    wanted_s: float
    stacks: tuple[Stack, ...]
    ranks: Mapping[int, Spent]


class Suspicion:
    """The present silence of one program. `silence` is the last one that was classified."""

    def __init__(
        self, child: Begun, stacks: Taker, log: Members, tree: TreeSampler, soon_s: float | None = None
    ) -> None:
        self._soon_s = soon_s  # no sleep that ends by then is a deadlock; None: as the limit says
        self.stacks = stacks
        self.silence: Silence | None = None
        self._child = child
        self._log = log
        self._tree = tree
        self._early: Look | None
        self._ranks: tuple[float, Mapping[int, Spent]] | None  # as they were before anybody asked them for stacks
        self.drop()

    def drop(self) -> None:
        """The program has moved."""
        self._early, self._rest, self._ranks = None, Rest(), None
        self._again_s = self._from_s = 0.0
        self._printed_before = self._child.printed_bytes
        self._answering_s = self._answering_wanted_s = 0.0  # what our own questions cost the program

    def again(self, silent_s: float) -> None:
        """Prove it anew, by looks that begin when the silence has lasted so long: nobody looks at it until then."""
        self._early, self._rest, self._from_s, self._ranks = None, Rest(), silent_s, None

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
            self._ranks = time.monotonic(), self._log.crew()
        if passed_s <= max(self._from_s + limit_s / 2, self._again_s):
            return False
        again_s = passed_s + min(max(AGAIN_S, AGAIN_SHARE * limit_s), AGAIN_MOST_S)
        self._again_s = again_s if passed_s > limit_end_s else min(again_s, limit_end_s)
        if self._early is None or (passed_s <= limit_end_s and not self._early.stacks):
            stacks = self._take_stacks(final=False)
            self._early = Look(time.monotonic(), self._wanted_s(), stacks, self._log.crew())
        self._tree.scan()
        self._rest.look(self._tree.threads(self._log.own_threads, self._log.above), time.monotonic())
        if passed_s <= limit_end_s or self._early.at_s > time.monotonic() - AGAIN_S:
            return False
        busy_s = limit_s if busy_s is None else busy_s
        late = keeping({stack.pid for stack in self._early.stacks})
        if silent_s <= limit_end_s and (late is None or late):
            return False
        if late is not None:
            return self._is_proved_of(late, silent_s, limit_s, busy_s, self._early)
        starved = self._rest.always_ready or self._wants_all(self._early)
        overdue = silent_s - self._from_s > limit_s * (STARVED_OVERDUE if starved else OVERDUE)
        found = self._classify(silent_s, limit_s, busy_s, self._early, overdue)
        if found.kind in (HangKind.DEADLOCK, HangKind.STALL) or overdue:
            self.silence = found
        return self.silence is found

    def _is_proved_of(
        self, ranks: Collection[int], silent_s: float, limit_s: float, busy_s: float, early: Look
    ) -> bool:
        """Tell whether ranks hang: whoever has to move could have for longer than a limit, or nobody's move helps."""
        crew, had_s = self._crew(ranks, early, silent_s)
        waits = system.outside(crew.sleeping, self._soon_s or SOON * limit_s, lines_of(early.stacks))
        overdue = silent_s - self._from_s > limit_s * (STARVED_OVERDUE if crew.wants else OVERDUE)
        if not overdue and (waits or had_s <= busy_s):
            return False
        moves = bool(ranks) or not set(early.ranks) <= {stack.pid for stack in early.stacks}  # or where is not known
        found = self._classify(silent_s, limit_s, 0.0, early, overdue or not early.stacks, looks=moves)
        if waits:
            found = msgspec.structs.replace(found, kind=HangKind.WAITING, waits=waits)
        self.silence = found
        return True

    def _crew(self, ranks: Collection[int], early: Look, silent_s: float) -> tuple[Crew, float]:
        """Hold ranks against each look at them before, of which one may have been disturbed by our questions.

        Return how they spent the time since the later one, and for how long they could have moved.
        """
        late, now_s = self._log.crew(), time.monotonic()
        looks = [*([self._ranks] if self._ranks else []), (early.at_s, early.ranks)]
        crews = [Crew(before, late, now_s - at_s, ranks) for at_s, before in looks]
        return crews[-1], max(one.had_s(silent_s) for one in crews)

    def now(self, silent_s: float) -> Silence:
        """Say how a program rests whose end is decided: as was proved, or else where it stands."""
        if self.silence is not None and silent_s >= self.silence.silent_s:
            return msgspec.structs.replace(self.silence, silent_s=silent_s)
        return self.described(silent_s)

    def described(self, silent_s: float) -> Silence:
        """Say how busy a program is and where it stands, whose end is decided: nothing is proved by it."""
        cpu_s, stacks = self._cpu_used(silent_s), self._take_stacks(final=True)
        return Silence(silent_s=silent_s, cpu_s=cpu_s, kind=HangKind.UNKNOWN, stacks=stacks)

    def look_inside(self) -> None:
        """Add to the silence that was proved in which native calls its threads stand."""
        if self.silence is not None:
            self.silence = msgspec.structs.replace(self.silence, stacks=with_native(self.silence.stacks))

    def _classify(
        self, silent_s: float, limit_s: float, busy_s: float, early: Look, overdue: bool, *, looks: bool = True
    ) -> Silence:
        cpu_s, threads = self._cpu_used(silent_s), self._rest.threads
        rest_s = self._rest.lasted_s(time.monotonic())
        rests = rest_s > REST_SHARE * limit_s and not (self._log.on_gpu or self._prints(silent_s))
        waits = system.outside(threads, self._soon_s or SOON * limit_s, lines_of(early.stacks))
        busy = not rests and self._is_busy(cpu_s, silent_s, early)
        wants_all = self._rest.always_ready or self._wants_all(early)  # and then it computes while it has a processor
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

    def _is_busy(self, cpu_s: float, silent_s: float, early: Look) -> bool:
        wants = cpu_s > STARVED_CPU_SHARE * silent_s and self._wants_all(early)  # who gets nothing may be about to move
        return wants or cpu_s > STALL_CPU_SHARE * silent_s or self._prints(silent_s)

    def _cpu_used(self, silent_s: float) -> float:
        self._tree.sample(rescan=True)
        used_s = self._tree.cpu_since(time.monotonic() - self._child.started_s - silent_s)
        return max(0.0, used_s - self._answering_s)

    def _wanted_s(self) -> float:
        return self._tree.wanted_s(self._log.own_threads) - self._answering_wanted_s

    def _wants_all(self, early: Look) -> bool:
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
    """Tell whether every process that answered both times stands where it stood, in all its threads."""
    both = {stack.pid for stack in early} & {stack.pid for stack in late}
    return bool(both) and _positions(early, both) == _positions(late, both)


def _positions(stacks: Sequence[Stack], pids: Collection[int]) -> list[tuple[object, ...]]:
    return sorted((s.pid, s.thread, tuple((f.file, f.line) for f in s.frames)) for s in stacks if s.pid in pids)


class Begun(Protocol):
    """Who is silent: a child that we have started, or a process that ran already."""

    started_s: float
    printed_bytes: int


class Taker(Protocol):
    """Who takes stacks: an agent's, or those that are read from outside."""

    def take(self, programs: Mapping[int, Iterable[int]], *, final: bool = False) -> tuple[Stack, ...]:
        """Return the stacks of those that answered."""


class Members(Protocol):
    """What is known of a tree's processes beside what the system tells."""

    @property
    def own_threads(self) -> Collection[str]:
        """The threads that do not count."""

    @property
    def above(self) -> Collection[int]:
        """The processes that only wait for others."""

    @property
    def on_gpu(self) -> bool:
        """Whether any computes where no system tells how busy it is."""

    def crew(self) -> Mapping[int, Spent]:
        """Look at the processes of a group of several ranks."""

    def asked(self, living: Collection[int]) -> Mapping[int, Iterable[int]]:
        """Return whom to ask for stacks, each with its forks."""


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
