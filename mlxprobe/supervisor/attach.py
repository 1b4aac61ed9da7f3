"""Sample a running process and its descendants from outside for a few seconds, without changing anything in it.

`HangDetector` decides whether it is stuck, as for a program under `watch`. In place of the agent's events, a Python
stack that changes is progress; where a limit was given, only if MLX ran.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping

from mlxprobe.schema.live import Looked
from mlxprobe.schema.observation import Stack
from mlxprobe.supervisor import process_snapshot
from mlxprobe.supervisor.hang_detector import SOON, HangDetector
from mlxprobe.supervisor.pipes import tail_of
from mlxprobe.supervisor.process_snapshot import ProcessSnapshotter, Readings, may_progress
from mlxprobe.supervisor.pyspy_stacks import MISSING, PySpyStacks, in_mlx, program
from mlxprobe.supervisor.rank_cpu import CpuUsage
from mlxprobe.supervisor.sample import TreeSampler
from mlxprobe.supervisor.stack_sampling import StackSampling
from mlxprobe.system.system import system

MAX_SAMPLED_PROCESSES = 32  # processes whose stacks are read
POLL_S = 0.05
LONGEST_TURN_S = 0.25
STACKS_S = 0.25  # between two samples of the stacks
LIMIT_S = 1.2  # a silence that lasts as long is looked into
MORE_S = 60.0  # for a busy machine
TRIED_CPU_S = 0.02  # in a second: less is no thread that sends off a large graph
LONGEST = 2.2  # limits: a silence that is not clear by then stays so
ALIVE_S = 1.0  # of looking, at the least: how fast memory grows takes a while to see
SAMPLED_S = 3.0  # afterwards a process that moved is reported without its sampled stacks
IDLE_CPU_SHARE = 0.05
STARVED_SHARE = 0.5
REST_CPU_S = 0.02  # since a look began


class Attachment:
    """One inspection of a process and its descendants."""

    printed_bytes = 0  # its output is not captured

    def __init__(self, pid: int, limit_s: float | None = None) -> None:
        self.pid = pid
        self.limit_s = limit_s or LIMIT_S
        self.started_s = time.monotonic()
        self.pyspy = PySpyStacks()
        self.members = AgentlessTree(self.pyspy)
        self.tree = TreeSampler(pid, self.started_s, with_root=True)
        soon_s = None if limit_s else math.inf
        self.hang_detector = HangDetector(self, self.pyspy, self.members, self.tree, soon_s=soon_s)
        self.moved: set[int] = set()
        self.stacks: tuple[Stack, ...] = ()
        self.compiles = False
        self._given = limit_s is not None
        self._before: Readings = {}
        self._silent_since_s = self._stacked_s = self.started_s
        self._sampled = False
        self._wanted_s = self._counted_s = 0.0
        self._turned_s = self.started_s

    def look(self) -> Looked:
        """Look until it is clear what the process does, or the time is up."""
        self._meet()
        pages = {pid: system.pages_read(pid) for pid in self.tree.pids}
        self._before, self._wanted_s = process_snapshot.readings(self.tree.pids), self.tree.wanted_s()
        with StackSampling(self._busiest()) as sampling:
            self.stacks = self._take()
            self._look_inside()
            while self.tree.pids and (self._goes_on(sampling) or self._samples_on(sampling)):
                self._pause()
                self._meet()
                self.compiles = self.tree.compiling() or self.compiles
                if time.monotonic() - self._stacked_s > STACKS_S:
                    self._compare()
            return self._looked(pages, sampling)

    def _pause(self) -> None:
        """Wait for the next turn. Where we are starved ourselves, a turn counts for no longer than one does else."""
        time.sleep(POLL_S)
        now_s = time.monotonic()
        self._counted_s += min(now_s - self._turned_s, LONGEST_TURN_S)
        self._turned_s = now_s

    def _is_clear(self, sampling: StackSampling) -> bool:
        """Check whether enough was seen; do what is due to see more."""
        if not self._sampled and sampling.is_over():
            self._sampled = True
            self._note({(pid, self.pyspy.name(pid, number)) for pid, number in sampling.moved()})
        if self.moved:
            lasts_s = self.limit_s if self._given and not self._may_progress(sampling) else ALIVE_S
            return self._passed_s > max(lasts_s, 0.0 if self._sampled else SAMPLED_S)
        silent_s = time.monotonic() - self._silent_since_s
        if not self._sampled and not self._rests():
            return False
        return self.hang_detector.is_proved(silent_s, self.limit_s) or (silent_s > self.limit_s and self._waits())

    def _may_progress(self, sampling: StackSampling) -> bool:
        after = process_snapshot.readings(self.tree.pids)
        return any(may_progress(pid, self._before, after, self.pyspy, sampling) for pid in self.members.pythons)

    def _goes_on(self, sampling: StackSampling) -> bool:
        lasts_s = self.limit_s * LONGEST
        lasts = self._counted_s < lasts_s or self._is_starved()
        return not self._is_clear(sampling) and lasts and self._passed_s < lasts_s + MORE_S

    def _is_starved(self) -> bool:
        """Check whether it waits for a processor most of the time: then its progress cannot be seen."""
        wanted_s = self.tree.wanted_s() - self._wanted_s
        used_s = self.tree.cpu_since(0.0)
        return wanted_s > STARVED_SHARE * self._passed_s and used_s < STARVED_SHARE * wanted_s

    def _samples_on(self, sampling: StackSampling) -> bool:
        """Go on looking at what may be one long evaluation, until it got the processor to show otherwise."""
        if self.moved or self._passed_s > self.limit_s * LONGEST + MORE_S:
            return False
        inside = [key for key, calls in self.pyspy.inside.items() if in_mlx(calls) and sampling.looks().get(key)]
        busy = [key for key in inside if sampling.cpu_s.get(key, 0.0) > TRIED_CPU_S]
        if sampling.is_over() and busy and not any(map(sampling.proves, busy)):
            self._sampled = False
            sampling.go_on()
        return not sampling.is_over() or not self._sampled  # what it shows is to be taken in

    def _busiest(self) -> list[int]:
        """Order the processes that run Python by what they have done in their lives."""
        used = {pid: samples[-1].cpu_s for pid, samples in self.tree.apart.items() if samples}
        return sorted(self.members.pythons - self.members.above, key=lambda pid: -used.get(pid, 0.0))

    def _rests(self) -> bool:
        """Check whether next to nothing has run since the look began."""
        samples = self.tree.samples
        return len(samples) > 1 and samples[-1].cpu_s - samples[0].cpu_s < REST_CPU_S

    @property
    def _passed_s(self) -> float:
        return time.monotonic() - self.started_s

    def _waits(self) -> bool:
        """Check whether the main thread waits for something external and nothing else is busy: sampling can end."""
        mains = [one for one in system.threads([self.pid]) if one.number == self.pid]
        used_s = self.tree.cpu_since(self._silent_since_s - self.started_s)
        if self._given and not system.outside(mains, SOON * self.limit_s):
            return False  # it may be a deadlock: that takes two looks
        return used_s < IDLE_CPU_SHARE * self.limit_s and any(
            system.awaited(one, self.tree.pids).outer for one in mains
        )

    def _look_inside(self) -> None:
        """Read native calls. A thread inside MLX does not wait for the others: from now on these do not count."""
        if self.pyspy.look_inside(sorted(self.members.asked(self.tree.pids))):
            self.hang_detector.drop()

    def _note(self, moved: set[tuple[int, str]]) -> None:
        """Take in which threads have moved."""
        if mattering := moved - self.pyspy.bystanders:
            self.moved |= {pid for pid, _ in mattering}
            self.pyspy.forget(mattering)
            self._silent_since_s = time.monotonic()
            self.hang_detector.drop()

    def _meet(self) -> None:
        """Sample the tree, and take in who has come."""
        self.tree.sample_if_due()
        for pid in self.tree.pids - self.tree.apart.keys():
            self.tree.apart[pid] = []
            if (process := self.tree.process(pid)) and process_snapshot.is_python(process):
                self.members.pythons.add(pid)
                process_snapshot.roots_of(pid, self.pyspy.roots)
                if process_snapshot.rank(pid) >= 0:
                    self.members.ranks.add(pid)

    def _take(self) -> tuple[Stack, ...]:
        self._stacked_s = time.monotonic()
        return self.pyspy.take(self.members.asked(self.tree.pids))

    def _compare(self) -> None:
        """Take the stacks again: a thread whose stack has changed has moved."""
        before, self.stacks = self.stacks, self._take()
        self._look_inside()
        known = {(one.pid, one.thread): _position(one) for one in before}
        now = {(one.pid, one.thread): _position(one) for one in self.stacks}
        self._note({key for key, place in now.items() if known.get(key, place) != place})

    def _looked(self, pages: Mapping[int, int], sampling: StackSampling) -> Looked:
        silence, looked_s = self.hang_detector.silence, self._passed_s
        self.tree.sample()
        self._look_inside()
        snapshotter = ProcessSnapshotter(self.tree, self.pyspy, self._before, sampling)
        return Looked(
            pid=self.pid,
            looked_s=looked_s,
            limit_s=self.limit_s,
            limit_given=self._given,
            ended=process_snapshot.has_ended(self.pid) or not self.tree.pids,
            moved=tuple(sorted(self.moved)),
            compiles=self.compiles,
            kind=silence.kind if silence else None,
            silent_s=time.monotonic() - self._silent_since_s,
            rest_s=silence.rest_s if silence else 0.0,
            processes=snapshotter.processes(pages),
            samples=tuple(self.tree.samples),
            said=next(
                filter(None, (tail_of(system.stderr(pid)) for pid in sorted(self.tree.pids)[:MAX_SAMPLED_PROCESSES])),
                "",
            ),
            problems=tuple(self._problems()),
        )

    def _problems(self) -> Iterator[str]:
        """Say what could not be seen, and what would be needed for it."""
        if not program():
            yield MISSING
        refused = [pid for pid in sorted(self.members.pythons & self.tree.pids) if not system.readable(pid)]
        if refused or self.pyspy.refused:
            yield system.forbidden(refused or sorted(self.pyspy.refused))
        elif program() and (unread := sorted(self.pyspy.silent & self.tree.pids)):
            yield f"no Python stacks of process {', '.join(map(str, unread))}: py-spy cannot read this interpreter"
        if not self.members.pythons:
            yield f"process {self.pid} and its children run no Python"


def _position(stack: Stack) -> tuple[tuple[str, int], ...]:
    return tuple((frame.file, frame.line) for frame in stack.frames)


class AgentlessTree:
    """The processes of a tree that carry no agent, as `HangDetector` asks for them."""

    def __init__(self, pyspy: PySpyStacks) -> None:
        self._pyspy = pyspy
        self.pythons: set[int] = set()
        self.ranks: set[int] = set()

    @property
    def above(self) -> set[int]:
        """The launcher of ranks, which only waits for them."""
        return self.pythons - self.ranks if self.ranks else set()

    @property
    def on_gpu(self) -> bool:
        """Whether any has a GPU's driver loaded."""
        return any(map(process_snapshot.on_gpu, self.pythons))

    def rank_usage(self) -> dict[int, CpuUsage]:
        """Return nothing: without an agent the collectives of ranks are unknown."""
        return {}

    @property
    def own_threads(self) -> set[str]:
        """The bystanders: threads that the threads inside MLX do not wait for."""
        numbers = self._pyspy.numbers
        return {str(numbers[key]) for key in self._pyspy.bystanders if key in numbers}

    def asked(self, living: Collection[int]) -> dict[int, Iterable[int]]:
        """Return the processes that run Python; of a launcher, its ranks."""
        return dict.fromkeys(sorted((self.pythons - self.above) & set(living))[:MAX_SAMPLED_PROCESSES], ())
