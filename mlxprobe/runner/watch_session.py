"""Watch an unchanged program of the user with the agent in it, without limits that were not asked for.

What watches and judges it is imported once it has been started: the program is not to wait for that.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from mlxprobe.agent.wire.constants import STEPS_VARIABLE
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.program import Program
from mlxprobe.settings.table import Settings
from mlxprobe.supervisor.start import Started, started

if TYPE_CHECKING:
    from mlxprobe.protocol.facts.memory import MemoryNearlyGone
    from mlxprobe.runner.unwatched import Unwatched
    from mlxprobe.schema.observation import Limits, Observation, Sighting, Step
    from mlxprobe.schema.record import Finding, ProgramRecord
    from mlxprobe.supervisor.event_log import EventLog
    from mlxprobe.supervisor.watch import Watcher

FOREVER_S = 1e9
STALL_FLOOR_S = 60.0
STALL_FACTOR = 20
REST_FLOOR_S = 10.0  # of a process that was not started to be watched
CALLS_TO_END = 3  # Ctrl-C that a program which is proved stuck gets before we end it
LOOK_S = 1.0  # between two diagnoses of a program that runs
LOOK_SHARE = 0.02  # of our time that they may take
RANKS_WITHIN_S = 1.0  # of the first that has done enough steps
TELLS_AFTER_S = 10.0  # a program's report comes soon enough where it runs no longer


class Enough(NamedTuple):
    """When to end the program: after a number of steps, or at the first finding that is an error."""

    steps: int = 0
    finding: bool = False


class Watch:
    """One watched run.

    `begun` is called once it has been started, `shown` at every poll, `silent` once for every silence that is proved,
    `short` once where memory runs out, `erred` with findings that are errors, each once, of a program that has run for
    a while, `parted` now and then where there are several ranks, `failed` where we fail ourselves: that ends nothing.
    """

    def __init__(
        self,
        program: Program,
        settings: Settings,
        enough: Enough | None = None,
        start: Callable[[Program], AbstractContextManager[Started]] | None = None,
    ) -> None:
        self._start = start or started
        self._ends = start is None and settings.stall_s is not None
        self._is_within = start is not None
        self._enough = enough or Enough()
        self.program = with_steps(program, self._enough.steps)
        self.stop = threading.Event()
        self.begun: Callable[[], None] = lambda: None
        self.shown: Callable[[Watcher], None] = lambda _: None
        self.silent: Callable[[Watcher], None] = lambda _: None
        self.short: Callable[[Sighting[MemoryNearlyGone], Watcher], None] = lambda *_: None
        self.erred: Callable[[Sequence[Finding], Watcher], None] | None = None
        self.parted: Callable[[Watcher], None] = lambda _: None
        self.failed: Callable[[Exception], None] = lambda _: None
        self.seen: tuple[Observation, ...] = ()
        self.unwatched: Unwatched | None = None
        self._running: Started | None = None
        self._watcher: Watcher | None = None
        self._settings = settings
        self._first_s = 0.0  # when the first process said that enough was seen of it
        self._look_s = time.monotonic() + LOOK_S  # when to diagnose next
        self._ranks_s = 0.0  # when ranks were last checked
        self._erred: set[str] = set()
        self._told_s = -1.0  # the silence that was last reported
        self._slowest = Slowest()
        self._signals: list[tuple[int, float]] = []  # each with the time at which it came
        self._calls = 0  # Ctrl-C that a hanging program did not handle

    def run(self) -> tuple[ProgramRecord, ...]:
        """Run the program to its end and judge each of its processes that trains, by rank.

        Raises:
            ProbeError: it could not be started.
        """
        with self._start(self.program) as running:
            self._running = running
            self.begun()
            self.seen = self._watched(running)
            if self.ended == "not-started":
                from mlxprobe.runner.unwatched import explained

                self.unwatched = explained(running, importing=self.seen[0].process is not None)
        from mlxprobe.runner.judging import judged_all
        from mlxprobe.supervisor.observation_builder import environment_of

        self.environment = environment_of(self._watcher)
        return judged_all(self.seen, self.unwatched.reason if self.unwatched else "")

    def _watched(self, running: Started) -> tuple[Observation, ...]:
        import msgspec

        from mlxprobe.runner.machine_events import MachineEvents
        from mlxprobe.supervisor.watch import watched

        self._machine_events = MachineEvents()
        seen = watched(
            running, self._limits(), stop=self.stop, progress=self._polled, hung=self._hung, ends_silence=self._ends
        )
        if self._watcher is None or not self._is_stuck(self._watcher):  # a silence that is over explains no end
            return seen
        return tuple(
            msgspec.structs.replace(one, ended="stalled")
            if one.ended in ("interrupted", "timeout", "enough") and one.silence
            else one
            for one in seen
        )

    @property
    def ended(self) -> str:
        """What brought the program to its end (see `Observation.ended`); empty before."""
        return self.seen[0].ended if self.seen else ""

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that was started."""
        return self._running.child.exit_code if self._running else None

    def so_far(self, watcher: Watcher, ended: str) -> tuple[ProgramRecord, ...]:
        """Judge what has been seen of a program that still runs: `ended` is `running`, or `stalled` where it hangs."""
        from mlxprobe.runner.judging import judged_all
        from mlxprobe.supervisor.observation_builder import environment_of

        self.environment = environment_of(watcher)
        return judged_all(watcher.observations(ended))

    def send(self, number: int) -> None:
        """Hand a signal on to the program."""
        self._signals.append((number, time.monotonic()))
        if number == signal.SIGINT and self._watcher is not None and self._is_stuck(self._watcher):
            self._calls += 1
            if self._calls >= CALLS_TO_END:
                self.stop.set()

    def _is_stuck(self, watcher: Watcher) -> bool:
        silence = watcher.hang_detector.silence
        return silence is not None and watcher.silent_s >= silence.silent_s and not watcher.ends_silence

    def _polled(self, watcher: Watcher) -> bool:
        self._watcher = watcher
        self._calls = self._calls if self._is_stuck(watcher) else 0
        while self._signals:
            watcher.child.send(*self._signals.pop(0))
        self._adapt(watcher)
        return self._has_seen_enough(watcher) or (self._looks(watcher) and self._enough.finding)

    def _looks(self, watcher: Watcher) -> bool:
        """Report what is new; return whether an error was found."""
        with self._unharmed():
            self.shown(watcher)
            for fact in self._machine_events.look(watcher):
                self.short(fact, watcher)
            if self._is_stuck(watcher):
                self._tell(watcher)
            self._look_at_ranks(watcher)
            return self._errs(watcher)
        return False

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """Keep what we fail at from a program that may have run for days."""
        try:
            yield
        except Exception as error:
            self.failed(error)

    def _hung(self, watcher: Watcher) -> None:
        """Report a hang of ranks at once: reading and ending all of them takes a while."""
        with self._unharmed():
            if watcher.processes.of_group:
                self._tell(watcher)

    def _tell(self, watcher: Watcher) -> None:
        silence = watcher.hang_detector.silence
        if silence is not None and silence.silent_s != self._told_s:
            self._told_s = silence.silent_s
            self.silent(watcher)

    def _look_at_ranks(self, watcher: Watcher) -> None:
        now_s = time.monotonic()
        if watcher.processes.of_group and now_s - self._ranks_s > LOOK_S:
            self._ranks_s = now_s
            self.parted(watcher)

    def _has_seen_enough(self, watcher: Watcher) -> bool:
        """Check whether every process has come as far as was asked for; a rank is given a moment after the first."""
        programs = watcher.processes.programs
        if not any(log.enough for log in programs):
            return False
        now_s = time.monotonic()
        self._first_s = self._first_s or now_s
        return all(log.enough or log.finished for log in programs) or now_s - self._first_s > RANKS_WITHIN_S

    def _adapt(self, watcher: Watcher) -> None:
        """Wait longer for a program whose steps take longer, unless a limit was given."""
        if self._settings.stall_s is None and watcher.log.steps:
            slowest_s = self._slowest.step_s(watcher.processes.programs, watcher.pauses.took_s)
            watcher.limits = self._limits(slowest_s, on_gpu=watcher.processes.on_gpu)

    def _limits(self, slowest_s: float = 0.0, *, on_gpu: bool = False) -> Limits:
        given = self._settings, slowest_s
        return limits_within(*given, on_gpu=on_gpu) if self._is_within else limits_of(*given)

    def _errs(self, watcher: Watcher) -> bool:
        """Diagnose now and then; what is an error is proved, and need not wait for the end."""
        began_s = time.monotonic()
        lasts = began_s - watcher.child.started_s > TELLS_AFTER_S
        if began_s < self._look_s or not (self._enough.finding or (self.erred and lasts)):
            return False
        from mlxprobe.diagnosis import diagnose, diagnose_jobs
        from mlxprobe.supervisor.observation_builder import leaving

        if leaving(watcher):
            return False
        self._look_s = float("inf")  # one that fails would fail again
        seen = watcher.observations("stalled" if self._is_stuck(watcher) else "running")
        every = [*(one for each in seen for one in diagnose(each)), *diagnose_jobs(seen)]
        found = {one.same: one for one in every if one.severity is Severity.ERROR}
        self._look_s = (now := time.monotonic()) + max(LOOK_S, (now - began_s) / LOOK_SHARE)
        new = [one for one in found.values() if one.code not in self._erred]
        self._erred |= {one.code for one in new}
        if new and self.erred and lasts:
            self.erred(new, watcher)
        return bool(found)


def with_steps(program: Program, steps: int) -> Program:
    """Return a program whose agent ends it after `steps` steps: from outside that would be too late."""
    return replace(program, env={**program.env, STEPS_VARIABLE: str(steps)}) if steps else program


class Slowest:
    """The slowest step of some processes so far; each call reads the new steps alone."""

    def __init__(self) -> None:
        self._known_s = 0.0
        self._until_s: dict[int, float] = {}  # when the last step ended that was looked at, by process

    def step_s(self, logs: Iterable[EventLog], took_s: Callable[[Step], float]) -> float:
        """Return how long it took, as `took_s` says."""
        self._known_s = max([self._known_s, *(took_s(step) for log in logs for step in self._new(log))])
        return self._known_s

    def _new(self, log: EventLog) -> Iterator[Step]:
        """List the new steps of a process, without its first two: they compile."""
        until_s = self._until_s.get(log.process.pid, -math.inf)
        if log.steps:
            self._until_s[log.process.pid] = log.steps[-1].t_s
        new = takewhile(lambda step: step.t_s > until_s, reversed(log.steps))
        return (step for step in new if step not in log.steps[:2])


def limits_of(settings: Settings, slowest_s: float = 0.0) -> Limits:
    """Return the limits that were asked for, and the one after which a silence is reported."""
    from mlxprobe.schema.observation import Limits
    from mlxprobe.settings.machine_limits import memory_limit  # which no program's start waits for

    return Limits(
        stall_s=settings.stall_s or max(STALL_FLOOR_S, STALL_FACTOR * slowest_s),
        startup_s=FOREVER_S,
        timeout_s=settings.timeout_s or FOREVER_S,
        memory_bytes=0 if settings.memory is None else memory_limit(settings.memory),
    )


def limits_within(settings: Settings, slowest_s: float = 0.0, *, on_gpu: bool = False) -> Limits:
    """Return the limits of a process that asked to be watched: nothing ends it.

    It is interactive: a sleeping tree is reported sooner than a busy one, unless it uses a GPU, whose load is unknown.
    """
    from mlxprobe.schema.observation import Limits

    floor_s = STALL_FLOOR_S if on_gpu else REST_FLOOR_S
    return Limits(
        stall_s=settings.stall_s or max(floor_s, STALL_FACTOR * slowest_s),
        busy_s=settings.stall_s or max(STALL_FLOOR_S, STALL_FACTOR * slowest_s),
        startup_s=FOREVER_S,
        timeout_s=FOREVER_S,
        memory_bytes=0,
    )
