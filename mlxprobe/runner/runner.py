"""Run scenarios: the correct loop first, then its variants under limits measured from it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from mlxprobe.catalogue.declaration import Variant
from mlxprobe.catalogue.discovery import Entry
from mlxprobe.runner.judging import judged_users, judged_variant
from mlxprobe.runner.programs import UserProgram, runnable
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.metrics import growth_bytes, steady_steps
from mlxprobe.schema.observation import Environment, Limits, Observation, Program
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.settings.machine_limits import memory_limit
from mlxprobe.settings.table import Settings
from mlxprobe.supervisor.event_log import EventLog
from mlxprobe.supervisor.watch import Watcher, observe_all
from mlxprobe.verdict.expectation import expectation_of
from mlxprobe.verdict.rows import REPEATS, worst

STALL_FLOOR_S = {"cpu": 1.0, "gpu": 20.0}  # a GPU's kernels are compiled inside the process, where none sees it
STALL_FACTOR = 20
SILENCE_FACTOR = 3
CORRECT_STALL_S = {"cpu": 10.0, "gpu": 60.0}
STARTUP_S = 30.0
TIMEOUT_S = {"cpu": 60.0, "gpu": 240.0}  # kernels of quantised layers took an H100's process more than 60
ROOM_BYTES = 24_000_000  # twice what two runs of one loop were seen to differ by

Seen = tuple[Observation, ...]  # one for each rank
Run = tuple[Seen, ProgramRecord]


class Listener(Protocol):
    """Follows programs as they run; called from the threads that watch them."""

    def started(self, name: str) -> None:
        """A program starts."""

    def moved(self, name: str, what: str) -> None:
        """A program was polled; `what` is its state in words."""

    def ended(self, name: str, row: ProgramRecord) -> None:
        """A program has its verdict."""


class Runner:
    """Run variants in one environment, each scenario's correct loop once; `host` is what rows call the machine."""

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        listener: Listener | None = None,
        stop: threading.Event | None = None,
        label: str = "",
        *,
        host: str = "",
    ) -> None:
        self.label = label
        self.host = host
        self.settings = settings
        self.environment = environment
        self.stop = stop or threading.Event()
        self.listener = listener
        self._baselines: dict[str, Run] = {}
        self._references: dict[str, Seen] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def variant_row(self, entry: Entry, variant: Variant) -> ProgramRecord:
        """Run one variant, after its scenario's correct loop, and return its row."""
        if missing := self._missing(entry, variant):
            return self._skipped(entry, variant, missing)
        if variant.role is Role.CORRECT:
            return self.correct_row(entry)
        baseline, _ = self._baseline(entry)
        limits = self.limits(entry, baseline)
        return self._settled(
            lambda: self._run(entry, variant, limits, baseline),
            lambda: self._run(entry, variant, limits, self._beside(entry, baseline)),
        )[1]

    def _beside(self, entry: Entry, baseline: Seen) -> Seen:
        """Return what a repetition is held against: where steps are timed, the correct loop as the machine is now."""
        if not entry.scenario.slow_factor:
            return baseline
        program, limits = self._program(entry, entry.correct.name), self.limits(entry, ())
        return self._observe(program, limits)

    def _missing(self, entry: Entry, variant: Variant) -> str:
        """Say what this machine lacks that a variant needs; empty where nothing."""
        here, ranks = self.environment, entry.ranks(variant)
        if entry.scenario.needs and here.device not in entry.scenario.needs:
            return f"it needs {' or '.join(entry.scenario.needs)}; this is {here.device}"
        if here.device == "gpu" and 1 < ranks > here.gpus:
            return f"it needs {ranks} GPUs, one for each rank; this machine has {here.gpus}"
        return ""

    def _skipped(self, entry: Entry, variant: Variant, reason: str) -> ProgramRecord:
        """Return the row of what cannot be shown here."""
        found = ProgramRecord(
            scenario=entry.name,
            variant=variant.name,
            title=entry.title,
            role=variant.role,
            outcome=Outcome.SKIPPED,
            expects=Outcome.SKIPPED,
            as_expected=True,
            findings=(),
            reason=reason,
        )
        return self.told(found)

    def repeated_row(self, entry: Entry, variant: Variant) -> ProgramRecord:
        """Run one variant once more, the correct loop too, judged as it was the first time."""
        if variant.role is not Role.CORRECT:
            return self.variant_row(entry, variant)
        self._baseline(entry)
        limits, reference = self.limits(entry, ()), self._references.get(entry.name, ())
        return self._settled(lambda: self._run(entry, variant, limits, reference))[1]

    def correct_row(self, entry: Entry) -> ProgramRecord:
        """Run a scenario's correct loop, unless that has been done, and return its row."""
        return self._baseline(entry)[1]

    def user_row(self, user: UserProgram) -> ProgramRecord:
        """Run one of the user's own programs and return its row; it is expected to pass.

        Raises:
            UsageError: this environment has no such script or module.
        """
        program = Program(
            name=user.name,
            argv=runnable(user, self.environment),
            python=self.environment.executable,
            cwd=user.folder,
            env=user.environment,
            device=self.settings.device,
        )
        limits = Limits(
            stall_s=self.settings.stall_s or user.stall_s,
            startup_s=STARTUP_S,
            timeout_s=self.settings.timeout_s or user.timeout_s,
            memory_bytes=memory_limit(self.settings.memory),
        )
        seen, *_ = self.observed(program, limits)
        return self.told(judged_users(seen, user.name, self.environment))

    def limits(self, entry: Entry, baselines: Seen) -> Limits:
        """Derive a program's limits from the correct loop; a fixed stall limit is taken as it is."""
        settings, memory = self.settings, memory_limit(self.settings.memory)
        slowest = max((usual_slowest(steady_steps(one)) for one in baselines), default=0.0)
        silent_s = max((one.longest_silence_s for one in baselines), default=0.0)
        measured = max(STALL_FLOOR_S[self.environment.device], STALL_FACTOR * slowest, SILENCE_FACTOR * silent_s)
        factor, active, basis = entry.scenario.memory_factor, 0, ""
        if baselines and factor and (baseline := baselines[0]).samples:
            basis = f"{factor:g} × the correct loop's growth and {ROOM_BYTES / 1e6:g} MB"
            if self.environment.device == "gpu":  # whose memory resident memory leaves out
                active = int(factor * max(sample.peak_bytes for sample in baseline.memory)) + ROOM_BYTES
            else:
                began = max(sample.rss_bytes for sample in baseline.samples) - growth_bytes(baseline)
                measured_bytes = int(began + factor * growth_bytes(baseline)) + ROOM_BYTES
                basis = basis if measured_bytes < memory else ""
                memory = min(memory, measured_bytes)
        return Limits(
            stall_s=settings.stall_s or (measured if baselines else CORRECT_STALL_S[self.environment.device]),
            startup_s=STARTUP_S,
            timeout_s=settings.timeout_s or TIMEOUT_S[self.environment.device],
            memory_bytes=memory,
            active_bytes=active,
            basis=basis,
            busy_s=None
            if settings.stall_s
            else STALL_FLOOR_S[self.environment.device],  # the baseline was starved as well
        )

    def _baseline(self, entry: Entry) -> Run:
        with self._guard:
            lock = self._locks.setdefault(entry.name, threading.Lock())
        with lock:
            if entry.name not in self._baselines:
                limits = self.limits(entry, ())
                reference = self._references[entry.name] = self._reference(entry, limits)
                self._baselines[entry.name] = self._settled(lambda: self._run(entry, entry.correct, limits, reference))
            return self._baselines[entry.name]

    def _reference(self, entry: Entry, limits: Limits) -> Seen:
        if not entry.reference:
            return ()
        return self._observe(self._program(entry, entry.reference), limits)

    def _settled(self, run: Callable[[], Run], again: Callable[[], Run] | None = None) -> Run:
        """Run a program, and twice more (`again`) where the outcome is not the expected one.

        The row is the worst of them; what was seen is of a run that went as expected, if any did.
        """
        runs = [run()]
        while not runs[0][1].as_expected and len(runs) <= REPEATS and not self.stop.is_set():
            runs.append((again or run)())
        if len(runs) > 1 and runs[-1][0][0].ended == "interrupted":
            runs.pop()
        seen = next((seen for seen, found in runs if found.as_expected), runs[0][0])
        return seen, self.told(worst([found for _, found in runs]))

    def _run(self, entry: Entry, variant: Variant, limits: Limits, baseline: Seen) -> Run:
        expectation = expectation_of(entry.scenario, variant, self.environment)
        seen = self.observed(self._program(entry, variant.name, entry.ranks(variant)), limits)
        names = {
            "scenario": entry.name,
            "variant": variant.name,
            "title": entry.title,
            "summary": variant.summary,
            "documents": (variant.document,) if variant.document else tuple(entry.scenario.documents),
            "says": variant.says,
        }
        return seen, judged_variant(seen, expectation, baseline, **names)

    def observed(self, program: Program, limits: Limits) -> Seen:
        """Run a program, and report it to the listener."""
        listener, label = self.listener, f"{self.label}{program.name}"
        if listener is None:
            return self._observe(program, limits)
        listener.started(label)
        return self._observe(
            program, limits, progress=lambda watcher: listener.moved(label, doing(watcher.log, watcher.silent_s))
        )

    def _observe(
        self, program: Program, limits: Limits, progress: Callable[[Watcher], bool | None] | None = None
    ) -> Seen:
        jit_key = f"mlx-{self.environment.mlx}"
        return observe_all(program, limits, jit_key=jit_key, stop=self.stop, progress=progress)

    def told(self, found: ProgramRecord) -> ProgramRecord:
        """Report a row to the listener, and return it with the machine's name."""
        found = msgspec.structs.replace(found, host=self.host)
        if self.listener is not None:
            self.listener.ended(f"{self.label}{found.name}", found)
        return found

    def _program(self, entry: Entry, function: str, ranks: int = 1) -> Program:
        words = ("launch", self.environment.device, str(ranks)) if ranks > 1 else ("scenario",)
        return Program(
            name=f"{entry.name}/{function}",
            argv=(*words, str(entry.file.resolve()), function),
            python=self.environment.executable or sys.executable,
            device=self.settings.device,
        )


def doing(log: EventLog, silent_s: float) -> str:
    """Return the state of a running program in a few words."""
    if not log.begun:
        return "starting"
    loss = f", loss {log.losses[-1].value:.3f}" if log.losses else ""
    silent = f", silent for {silent_s:.1f} s" if silent_s > 0.3 else ""
    return f"step {log.step}{loss}{silent}"


def usual_slowest(steps_s: Sequence[float]) -> float:
    """Return the time that nine steps in ten stay below: one hiccup of a busy machine must not hide a hang."""
    return sorted(steps_s)[int(0.9 * len(steps_s))] if steps_s else 0.0


def exit_code(rows: Sequence[ProgramRecord]) -> int:
    """Return 0 where all is as expected, 2 where something could not be judged, else 1."""
    if any(one.outcome is Outcome.UNJUDGED is not one.expected and not one.intermittent for one in rows):
        return 2
    return int(any(not one.as_expected for one in rows))
