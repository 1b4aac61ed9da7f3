"""Run one program to its end, or to the moment that it must be ended, and say what was seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from mlxprobe.schema.observation import Limits, Observation, Program, Silence, Step
from mlxprobe.supervisor import kernel_cache
from mlxprobe.supervisor.event_log import EventLog
from mlxprobe.supervisor.hang_detector import HangDetector
from mlxprobe.supervisor.observation_builder import keeping, observed
from mlxprobe.supervisor.processes import Processes
from mlxprobe.supervisor.sample import SAMPLE_S, TreeSampler
from mlxprobe.supervisor.stacks import Stacks
from mlxprobe.supervisor.start import Started, started
from mlxprobe.supervisor.target import Target
from mlxprobe.system.system import system

LEAST_S = 5.0  # less is a busy machine
CPU_SHARE = 0.1  # more of it, and it was we who were busy
MAX_PAUSES = 100
POLL_S = 0.025
HURRY_S = 0.01  # between looks at a program that is about to reach its memory limit
STARVED_S = 2.0  # for which we may get no processor; a longer pause is another's doing
LONGEST_GAP_S = 0.25  # of a pause of our own (a suspended or starved machine), no more than this counts as silence
HELD_S = 5.0  # for which a program that is stopped is not silent
LOST_S = 0.9
IDLE_S = 1.0  # without progress: less is no news of a program whose time is up
REAPED_WITHIN_S = 5.0  # a program that has ended closes its events, on a busy machine, long before it is reaped
Progress = Callable[["Watcher"], bool | None]


class Watcher:
    """Watch one child. Progress is judged by the agent's events, never by output."""

    def __init__(
        self,
        program: Program,
        child: Target,
        stacks: Stacks,
        limits: Limits,
        stop: threading.Event,
    ) -> None:
        self.program = program
        self.child = child
        self.stop = stop
        self.limits = limits
        self.processes = Processes(child.started_s, untagged=bool(program.argv))
        self.stacks = stacks
        stacks.roots = self.processes.roots
        stacks.own_threads = lambda: self.processes.own_threads
        self.tree = TreeSampler(child.above_pid or child.pid, child.started_s, with_root=not child.above_pid)
        self.tree.bystanders = self.processes.bystanders
        self.silent_s = 0.0
        self.quiet_s = 0.0  # of several ranks: what has passed since, also while we got no processor
        self.longest_s = 0.0
        self.hang_detector = HangDetector(child, stacks, self.processes, self.tree)
        self.detected_s: float | None = None
        self.ends_silence = True
        self.rest: Silence | None = None  # at the moment that its time was up
        self._again_s = self._held_s = self._followed_s = 0.0
        self._programs: set[int] = set()
        self._above: set[int] = set()
        self.progress: Progress = lambda _: False
        self.hung: Callable[[Watcher], None] = lambda _: None
        self.pauses = SuspendDetector(child.started_s)
        self._built = kernel_cache.KernelBuilds(child.folder)

    @property
    def log(self) -> EventLog:
        """The events of the program that leads."""
        return self.processes.leading

    def run(self) -> str:
        """Poll until something ends the program; return what (see `Observation.ended`)."""
        while True:
            hurries = self.limits.memory_bytes > 0 and self.tree.nears(self.limits.memory_bytes)
            self._poll(HURRY_S if hurries else POLL_S)
            if self.child.over:
                self._poll(0)
                return "exited" if self.processes.begun else "not-started"
            if self.stop.is_set():
                return "interrupted"
            if self.progress(self):
                return "enough"
            if ending := self._limit_reached():
                detected_s = time.monotonic() - self.child.started_s
                if ending == "stalled":
                    self.hung(self)
                    self.hang_detector.look_inside()
                self._poll(0)  # it may have moved or ended while we looked
                if self._still(ending):
                    self.detected_s = detected_s
                    if self.ends_silence or ending != "stalled":
                        return ending
                    self._again_s = 2 * self.silent_s  # looks cost the program time, and it may only be slow
                    self.hang_detector.again(self._again_s)

    def _still(self, ending: str) -> bool:
        if ending in ("stalled", "not-started") and not self.silent_s:
            return False
        code = self.child.exit_code
        return code is None or (ending == "stalled" and code < 0)  # it may have died of being asked for its stacks

    def _poll(self, timeout_s: float) -> None:
        self.child.pump(timeout_s)
        passed_s = self.pauses.passed_s()
        gap_s = min(passed_s, LONGEST_GAP_S)
        known = len(self.processes.logs)
        if self.processes.feed(self.child.take_events()) or self._built.more():
            self.silent_s = self.quiet_s = self._again_s = self._held_s = 0.0
            self.hang_detector.drop()
        elif self.silent_s < 0.2 or not (self.tree.compiling() or self._is_held(gap_s)):
            self.silent_s += gap_s
            self.quiet_s += min(passed_s, STARVED_S) if self.processes.of_group else gap_s
        if self.processes.running:  # starting and importing take what they take
            self.longest_s = max(self.longest_s, self.silent_s)
        self.tree.sample_if_due(SAMPLE_S if timeout_s >= POLL_S else HURRY_S)
        if len(self.processes.logs) > known:
            self._meet()
        if self.tree.scanned_s > self._followed_s:
            self.follow()

    def _meet(self) -> None:
        """A process has spoken for the first time."""
        for log in self.processes.logs.values():
            self.stacks.of(log.process.pid)  # it may delete its folder
            self.tree.apart.setdefault(log.process.pid, [])
        self.follow()
        self.tree.sample(rescan=True)  # it may not live until the next

    def follow(self) -> None:
        """Take in who lives."""
        self._followed_s = time.monotonic()
        programs = {log.process.pid for log in self.processes.programs}
        if programs != self._programs:  # their ancestors are looked up once: it is slow, and they may go first
            self._programs, self._above = programs, self.tree.ancestors(programs)
        self.processes.follow(self.tree.pids, self._above)

    def _is_held(self, gap_s: float) -> bool:
        """Check whether the program was stopped a short while ago: a batch system does that, and continues it."""
        if self._held_s > HELD_S or not system.stopped(self.child.pid):
            return False
        self._held_s += gap_s
        return True

    def _limit_reached(self) -> str:
        """Name the limit that is reached now; an empty string where none is."""
        limits, now_s = self.limits, time.monotonic() - self.child.started_s
        if self._holds_too_much():
            return "memory"
        if self._is_lost():
            return "lost"
        if now_s > limits.timeout_s:
            self.rest = self.hang_detector.now(self.silent_s) if self.silent_s > IDLE_S else None
            return "timeout"
        if self.child.silenced:
            return ""  # it is being reaped, or about to count as lost; its silence says nothing
        if not self.processes.begun:
            return "not-started" if self.silent_s > limits.startup_s else ""
        limit_s = limits.stall_s if self.processes.running else max(limits.stall_s, limits.startup_s)
        due = self.silent_s >= self._again_s
        proved = due and self.hang_detector.is_proved(
            self.silent_s, limit_s, limits.busy_s, lambda heard: keeping(self, heard), self.quiet_s
        )
        return "stalled" if proved else ""

    def _holds_too_much(self) -> bool:
        limits, samples, memory = self.limits, self.tree.samples, self.log.memory
        if samples and 0 < limits.memory_bytes < samples[-1].rss_bytes:
            return True
        return bool(limits.active_bytes and memory and memory[-1].peak_bytes > limits.active_bytes)

    def _is_lost(self) -> bool:
        """Check whether nothing can be learned of the program any more: its reaper or its events are gone."""
        silenced = self.child.silenced and self.silent_s > (REAPED_WITHIN_S if self.log.finished else LOST_S)
        return self.child.lost or silenced

    def silence(self, ended: str) -> Silence | None:
        """Return the silence to report of a program that was ended so."""
        if ended == "timeout":
            return self.rest
        return self.hang_detector.silence if ended == "stalled" or not self.ends_silence else None

    def observation(self, ended: str) -> Observation:
        """Put together what has been seen so far of the program that leads."""
        return observed(self, self.log, ended)

    def observations(self, ended: str) -> tuple[Observation, ...]:
        """Put together what has been seen so far, a program each."""
        return tuple(observed(self, log, ended) for log in self.processes.programs)


def observe(program: Program, limits: Limits, **how: Any) -> Observation:
    """Run a program as `observe_all` does, and return what was seen of the process that leads."""
    return observe_all(program, limits, **how)[0]


def observe_all(program: Program, limits: Limits, *, jit_key: str = "", **how: Any) -> tuple[Observation, ...]:
    """Run a program under its limits and return what was seen of each of its processes that trains, by rank.

    Args:
        program: what to run, and with which interpreter.
        limits: seconds without progress, to the start and in all; bytes of resident memory of the whole tree.
        jit_key: names the cache of MLX's compiled CPU kernels that this program may share; empty for none.
        how: what `watched` may be given.

    Raises:
        ProbeError: the process could not be started at all.
    """
    with started(program, jit_key) as running:
        seen = watched(running, limits, **how)
        if seen[0].ended == "exited" and running.child.exit_code == 0 and seen[0].finished:
            kernel_cache.keep(running.child.folder, jit_key)
        return seen


def watched(
    running: Started,
    limits: Limits,
    *,
    progress: Progress | None = None,
    hung: Callable[[Watcher], None] | None = None,
    stop: threading.Event | None = None,
    ends_silence: bool = True,
) -> tuple[Observation, ...]:
    """Watch a program that has been started to its end, and return what was seen as `observe_all` does.

    Args:
        running: what has been started.
        limits: as of `observe_all`.
        progress: called at every poll with the watcher; where it returns True, enough was seen.
        hung: called where it is proved to be stuck, before it is looked into.
        stop: once it is set, the program is ended as interrupted.
        ends_silence: False lets a program that is stuck go on; its last silence is still reported.
    """
    child = running.child
    watcher = Watcher(running.program, child, running.stacks, limits, stop or threading.Event())
    watcher.ends_silence = ends_silence
    watcher.progress, watcher.hung = progress or watcher.progress, hung or watcher.hung
    ended = watcher.run()
    watcher.tree.scan()
    watcher.follow()
    child.finish(ended)
    watcher.processes.feed(child.take_events())
    return watcher.observations("unreaped" if child.left else ended)


class SuspendDetector:
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
            del self._found[:-MAX_PAUSES]
        return passed_s

    def took_s(self, step: Step) -> float:
        """Return what a step took without the pauses in it."""
        began_s = step.t_s - step.step_s
        return step.step_s - sum(max(0.0, min(end, step.t_s) - max(start, began_s)) for start, end in self._found)
