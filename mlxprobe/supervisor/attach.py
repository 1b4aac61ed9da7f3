"""Look at a process that runs already, and at all below it, for some seconds; nothing in it is changed.

Whether it is stuck `Suspicion` decides, as for a program under `watch`. What the agent tells there is read off the
stacks here: a Python stack that changes is progress, and where a limit was given only if MLX ran.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping

from mlxprobe.schema.live import Looked
from mlxprobe.schema.observation import Stack
from mlxprobe.supervisor import process_snapshot
from mlxprobe.supervisor.hang_detector import SOON, Suspicion
from mlxprobe.supervisor.pipes import tail_of
from mlxprobe.supervisor.process_snapshot import Readings, Sitter, may_progress
from mlxprobe.supervisor.pyspy_stacks import MISSING, Spied, in_mlx, program
from mlxprobe.supervisor.rank_cpu import Spent
from mlxprobe.supervisor.sample import TreeSampler
from mlxprobe.supervisor.stack_sampling import Film
from mlxprobe.system.system import system

MOST = 32  # processes whose stacks are read
POLL_S = 0.05
LONGEST_TURN_S = 0.25
STACKS_S = 0.25  # from one look at the stacks to the next
LIMIT_S = 1.2  # a silence that lasts as long is looked into
MORE_S = 60.0  # for a busy machine
TRIED_CPU_S = 0.02  # in a second: less is no thread that sends off a large graph
LONGEST = 2.2  # limits: a silence that is not clear by then stays so
ALIVE_S = 1.0  # of looking, at the least: how fast memory grows takes a while to see
FILMED_S = 3.0  # by then what has been seen to move is told without its film
IDLE_CPU_SHARE = 0.05
STARVED_SHARE = 0.5
REST_CPU_S = 0.02  # since a look began


class Attachment:
    """One look at a process and all below it."""

    printed_bytes = 0  # nobody sees what it prints

    def __init__(self, pid: int, limit_s: float | None = None) -> None:
        self.pid = pid
        self.limit_s = limit_s or LIMIT_S
        self.started_s = time.monotonic()
        self.spied = Spied()
        self.members = Strangers(self.spied)
        self.tree = TreeSampler(pid, self.started_s, with_root=True)
        soon_s = None if limit_s else math.inf
        self.suspicion = Suspicion(self, self.spied, self.members, self.tree, soon_s=soon_s)
        self.moved: set[int] = set()
        self.stacks: tuple[Stack, ...] = ()
        self.compiles = False
        self._given = limit_s is not None
        self._before: Readings = {}
        self._silent_since_s = self._stacked_s = self.started_s
        self._filmed = False
        self._wanted_s = self._counted_s = 0.0
        self._turned_s = self.started_s

    def look(self) -> Looked:
        """Look until it is clear what the process does, or the time is up."""
        self._meet()
        pages = {pid: system.pages_read(pid) for pid in self.tree.pids}
        self._before, self._wanted_s = process_snapshot.readings(self.tree.pids), self.tree.wanted_s()
        with Film(self._busiest()) as film:
            self.stacks = self._take()
            self._look_inside()
            while self.tree.pids and (self._goes_on(film) or self._films(film)):
                self._pause()
                self._meet()
                self.compiles = self.tree.compiling() or self.compiles
                if time.monotonic() - self._stacked_s > STACKS_S:
                    self._compare()
            return self._looked(pages, film)

    def _pause(self) -> None:
        """Wait for the next turn. Where we are starved ourselves, a turn counts for no longer than one does else."""
        time.sleep(POLL_S)
        now_s = time.monotonic()
        self._counted_s += min(now_s - self._turned_s, LONGEST_TURN_S)
        self._turned_s = now_s

    def _is_clear(self, film: Film) -> bool:
        """Tell whether enough was seen; do what is due to see more."""
        if not self._filmed and film.is_over():
            self._filmed = True
            self._note({(pid, self.spied.name(pid, number)) for pid, number in film.moved()})
        if self.moved:
            lasts_s = self.limit_s if self._given and not self._may_progress(film) else ALIVE_S
            return self._passed_s > max(lasts_s, 0.0 if self._filmed else FILMED_S)
        silent_s = time.monotonic() - self._silent_since_s
        if not self._filmed and not self._rests():
            return False
        return self.suspicion.is_proved(silent_s, self.limit_s) or (silent_s > self.limit_s and self._waits())

    def _may_progress(self, film: Film) -> bool:
        after = process_snapshot.readings(self.tree.pids)
        return any(may_progress(pid, self._before, after, self.spied, film) for pid in self.members.pythons)

    def _goes_on(self, film: Film) -> bool:
        lasts_s = self.limit_s * LONGEST
        lasts = self._counted_s < lasts_s or self._is_starved()
        return not self._is_clear(film) and lasts and self._passed_s < lasts_s + MORE_S

    def _is_starved(self) -> bool:
        """Tell whether it wants a processor most of the time, and others have it: then it cannot be seen to move."""
        wanted_s = self.tree.wanted_s() - self._wanted_s
        used_s = self.tree.cpu_since(0.0)
        return wanted_s > STARVED_SHARE * self._passed_s and used_s < STARVED_SHARE * wanted_s

    def _films(self, film: Film) -> bool:
        """Go on looking at what may be one long evaluation, until it got the processor to show otherwise."""
        if self.moved or self._passed_s > self.limit_s * LONGEST + MORE_S:
            return False
        inside = [key for key, calls in self.spied.inside.items() if in_mlx(calls) and film.looks().get(key)]
        busy = [key for key in inside if film.cpu_s.get(key, 0.0) > TRIED_CPU_S]
        if film.is_over() and busy and not any(map(film.proves, busy)):
            self._filmed = False
            film.go_on()
        return not film.is_over() or not self._filmed  # what it shows is to be taken in

    def _busiest(self) -> list[int]:
        """Order the processes that run Python by what they have done in their lives."""
        used = {pid: samples[-1].cpu_s for pid, samples in self.tree.apart.items() if samples}
        return sorted(self.members.pythons - self.members.above, key=lambda pid: -used.get(pid, 0.0))

    def _rests(self) -> bool:
        """Tell whether next to nothing has run since the look began."""
        samples = self.tree.samples
        return len(samples) > 1 and samples[-1].cpu_s - samples[0].cpu_s < REST_CPU_S

    @property
    def _passed_s(self) -> float:
        return time.monotonic() - self.started_s

    def _waits(self) -> bool:
        """Tell whether the main thread waits for what is outside, and nothing else is busy: more looks tell no more."""
        mains = [one for one in system.threads([self.pid]) if one.number == self.pid]
        used_s = self.tree.cpu_since(self._silent_since_s - self.started_s)
        if self._given and not system.outside(mains, SOON * self.limit_s):
            return False  # it may be a deadlock: that takes two looks
        return used_s < IDLE_CPU_SHARE * self.limit_s and any(
            system.awaited(one, self.tree.pids).outer for one in mains
        )

    def _look_inside(self) -> None:
        """Read native calls. Who stands in MLX does not wait for the other threads: from now on they do not count."""
        if self.spied.look_inside(sorted(self.members.asked(self.tree.pids))):
            self.suspicion.drop()

    def _note(self, moved: set[tuple[int, str]]) -> None:
        """Take in which threads have moved."""
        if mattering := moved - self.spied.bystanders:
            self.moved |= {pid for pid, _ in mattering}
            self.spied.forget(mattering)
            self._silent_since_s = time.monotonic()
            self.suspicion.drop()

    def _meet(self) -> None:
        """Sample the tree, and take in who has come."""
        self.tree.sample_if_due()
        for pid in self.tree.pids - self.tree.apart.keys():
            self.tree.apart[pid] = []
            if (process := self.tree.process(pid)) and process_snapshot.is_python(process):
                self.members.pythons.add(pid)
                process_snapshot.roots_of(pid, self.spied.roots)
                if process_snapshot.rank(pid) >= 0:
                    self.members.ranks.add(pid)

    def _take(self) -> tuple[Stack, ...]:
        self._stacked_s = time.monotonic()
        return self.spied.take(self.members.asked(self.tree.pids))

    def _compare(self) -> None:
        """Take the stacks anew: whose have changed has moved."""
        before, self.stacks = self.stacks, self._take()
        self._look_inside()
        known = {(one.pid, one.thread): _position(one) for one in before}
        now = {(one.pid, one.thread): _position(one) for one in self.stacks}
        self._note({key for key, place in now.items() if known.get(key, place) != place})

    def _looked(self, pages: Mapping[int, int], film: Film) -> Looked:
        silence, looked_s = self.suspicion.silence, self._passed_s
        self.tree.sample()
        self._look_inside()
        sitter = Sitter(self.tree, self.spied, self._before, film)
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
            processes=sitter.processes(pages),
            samples=tuple(self.tree.samples),
            said=next(filter(None, (tail_of(system.stderr(pid)) for pid in sorted(self.tree.pids)[:MOST])), ""),
            problems=tuple(self._problems()),
        )

    def _problems(self) -> Iterator[str]:
        """Say what could not be seen, and what would be needed for it."""
        if not program():
            yield MISSING
        refused = [pid for pid in sorted(self.members.pythons & self.tree.pids) if not system.readable(pid)]
        if refused or self.spied.refused:
            yield system.forbidden(refused or sorted(self.spied.refused))
        elif program() and (unread := sorted(self.spied.silent & self.tree.pids)):
            yield f"no Python stacks of process {', '.join(map(str, unread))}: py-spy cannot read this interpreter"
        if not self.members.pythons:
            yield f"process {self.pid} runs no Python, nor does one below it"


def _position(stack: Stack) -> tuple[tuple[str, int], ...]:
    return tuple((frame.file, frame.line) for frame in stack.frames)


class Strangers:
    """The processes of a tree that carry no agent, as `Suspicion` asks for them."""

    def __init__(self, spied: Spied) -> None:
        self._spied = spied
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

    def crew(self) -> dict[int, Spent]:
        """Look at none: what they have built, nobody tells."""
        return {}

    @property
    def own_threads(self) -> set[str]:
        """The bystanders: threads that what stands in MLX does not wait for."""
        numbers = self._spied.numbers
        return {str(numbers[key]) for key in self._spied.bystanders if key in numbers}

    def asked(self, living: Collection[int]) -> dict[int, Iterable[int]]:
        """Return the processes that run Python; of a launcher, its ranks."""
        return dict.fromkeys(sorted((self.pythons - self.above) & set(living))[:MOST], ())
