"""Watch a program of the user's: as it is, with the agent carried in, under no limit that nobody asked for."""

from __future__ import annotations

import platform
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from mlxprobe.diagnosis import diagnose, unchecked
from mlxprobe.running.selection import quoted
from mlxprobe.settings.machine import memory_limit
from mlxprobe.settings.table import Settings
from mlxprobe.supervisor.watch import Watcher, observe
from mlxprobe.values.files import row
from mlxprobe.values.observation import Environment, Limits, Observation, Program, Value
from mlxprobe.values.record import Expectation, ProgramRecord, Verdict
from mlxprobe.values.vocabulary import Outcome, Severity
from mlxprobe.verdict.judge import judge

FOREVER_S = 1e9
STALL_FLOOR_S = 60.0
STALL_FACTOR = 20
CALLS_TO_END = 3  # Ctrl-C that a program which is proved stuck gets before we end it
LOOK_S = 1.0  # between two diagnoses of a program that runs


class Enough(Value, frozen=True):
    """When somebody has seen enough: after a number of steps, or at the first finding that is an error."""

    steps: int = 0
    finding: bool = False


def limits_of(settings: Settings) -> Limits:
    """Return the limits that somebody asked for, and the machine's memory."""
    return Limits(
        stall_s=settings.stall_s or STALL_FLOOR_S,
        startup_s=FOREVER_S,
        timeout_s=settings.timeout_s or FOREVER_S,
        memory_bytes=memory_limit(settings.memory),
    )


class Watch:
    """One watched run; `shown` is called at every poll, `silent` once for every silence that is proved."""

    def __init__(self, program: Program, settings: Settings, enough: Enough | None = None) -> None:
        self.program = program
        self.stop = threading.Event()
        self.shown: Callable[[Watcher], None] = lambda _: None
        self.silent: Callable[[Watcher], None] = lambda _: None
        self.environment = Environment(python="", executable="", platform=platform.platform())
        self.seen: Observation | None = None
        self._watcher: Watcher | None = None
        self._settings = settings
        self._enough = enough or Enough()
        self._looked_s = time.monotonic()
        self._told: object = None
        self._signals: list[int] = []
        self._calls = 0  # Ctrl-C that a program which is stuck did not hear

    def run(self) -> ProgramRecord:
        """Run the program to its end and judge it.

        Raises:
            ProbeError: it could not be started.
        """
        limits = limits_of(self._settings)
        seen = observe(
            self.program,
            limits,
            stop=self.stop,
            progress=self._polled,
            ends_silence=self._settings.stall_s is not None,
        )
        if self._watcher is not None:
            log = self._watcher.log
            self.environment = msgspec.structs.replace(
                self.environment, python=log.python, executable=log.executable, mlx=log.mlx, device=log.device
            )
        if seen.ended == "interrupted" and seen.silence is not None:
            seen = msgspec.structs.replace(seen, ended="stalled")
        self.seen = seen
        return judged(seen)

    @property
    def ended(self) -> str:
        """What brought the program to its end (see `Observation.ended`); empty before."""
        return self.seen.ended if self.seen else ""

    @property
    def unseen(self) -> tuple[str, ...]:
        """What the program did that could not be watched."""
        seen = self.seen
        if seen is None or not seen.begun:
            return ()
        told = [
            f"process {fact.detail['pid']} imported MLX too; only the first that does is watched"
            for fact in seen.facts
            if fact.name == "another process"
        ]
        if seen.ended == "exited" and seen.exit_code == 0 and not seen.finished:
            told.append("the program left past Python's own ending (os._exit, os.exec); what came after was not seen")
        return tuple(told)

    def send(self, number: int) -> None:
        """Hand a signal on to the program."""
        self._signals.append(number)
        if number == signal.SIGINT and self._watcher is not None and self._is_stuck(self._watcher):
            self._calls += 1
            if self._calls >= CALLS_TO_END:
                self.stop.set()

    def _is_stuck(self, watcher: Watcher) -> bool:
        silence = watcher.suspicion.silence
        return silence is not None and watcher.silent_s >= silence.silent_s and not watcher.ends_silence

    def _polled(self, watcher: Watcher) -> bool:
        self._watcher = watcher
        if not self._is_stuck(watcher):
            self._calls = 0
        while self._signals:
            watcher.child.send(self._signals.pop(0))
        self._adapt(watcher)
        self.shown(watcher)
        silence = watcher.suspicion.silence
        if self._is_stuck(watcher) and silence is not self._told:
            self._told = silence
            self.silent(watcher)
        if self._enough.steps and watcher.log.step >= self._enough.steps:
            return True
        return self._enough.finding and self._has_found(watcher)

    def _adapt(self, watcher: Watcher) -> None:
        """Wait longer for a program whose steps take longer, unless a limit was given."""
        if self._settings.stall_s is None and watcher.log.steps:
            slowest = max((step.step_s for step in watcher.log.steps[2:]), default=0.0)
            stall_s = max(STALL_FLOOR_S, STALL_FACTOR * slowest)
            if stall_s != watcher.limits.stall_s:
                watcher.limits = msgspec.structs.replace(watcher.limits, stall_s=stall_s)

    def _has_found(self, watcher: Watcher) -> bool:
        if time.monotonic() - self._looked_s < LOOK_S:
            return False
        self._looked_s = time.monotonic()
        return any(one.severity is Severity.ERROR for one in diagnose(watcher.observation("enough")))


def judged(seen: Observation) -> ProgramRecord:
    """Judge what was seen of a user's program; what could not be checked is among the findings."""
    if seen.ended in ("exited", "not-started") and seen.exit_code == 0 and not seen.finished:
        seen = msgspec.structs.replace(seen, finished=True)  # by os._exit, or without MLX
    expectation = Expectation()
    name = Path(seen.program).name
    if not seen.begun:
        why = "MLX was never imported (or Python ignores its environment: -I, -E, -S): nothing was watched"
        verdict = Verdict(outcome=Outcome.UNJUDGED, reason=why)
        return row(seen, (), verdict, expectation, scenario="programs", variant=name)
    findings = diagnose(seen)
    verdict = judge(seen, findings, expectation)
    return row(
        seen, (*map(quoted, findings), *unchecked(seen)), verdict, expectation, scenario="programs", variant=name
    )
