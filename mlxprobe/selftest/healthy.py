"""Healthy trainers: training loops of five kinds under `watch`, as users write them; every finding is a false alarm."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from mlxprobe.runner.runner import Runner, doing
from mlxprobe.runner.schedule import Task
from mlxprobe.runner.watch_session import Watch
from mlxprobe.schema.enums import Outcome, Role, Severity
from mlxprobe.schema.merge_ranks import whole
from mlxprobe.schema.program import Program
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.versions import HEALTHY

TITLE = "Training loops without a fault, under `mlxprobe watch`"
FOLDER = Path(__file__).parent / "programs" / "healthy"
STEPS = {"adapters": 80, "classifier": 96, "image_autoencoder": 60, "language_model": 80, "padded_sequences": 60}
STALL_S, TIMEOUT_S = 60.0, 300.0


def tasks() -> list[Task]:
    """Make a task of each trainer."""
    return [Task(name=f"{HEALTHY}/{name}", run=(run := partial(_row, name=name)), again=run) for name in STEPS]


def _row(runner: Runner, name: str) -> ProgramRecord:
    file, settings = FOLDER / f"{name}.py", runner.settings
    program = Program(name=str(file), command=(sys.executable, str(file)), device=settings.device)
    ending = replace(settings, stall_s=settings.stall_s or STALL_S, timeout_s=settings.timeout_s or TIMEOUT_S)
    watch = Watch(program, ending)
    watch.stop = runner.stop
    if (listener := runner.listener) is not None:
        listener.started(f"{HEALTHY}/{name}")
        watch.shown = lambda watcher: listener.moved(f"{HEALTHY}/{name}", doing(watcher.log, watcher.silent_s))
    return runner.told(judged(whole(watch.run()), name))


def judged(seen: ProgramRecord, name: str) -> ProgramRecord:
    """Return the row of a trainer: it must pass with every step counted and no finding."""
    blamed = [one.code for one in seen.findings if one.severity is not Severity.NOTE]
    wrong = [f"blamed by {', '.join(blamed)}"] if blamed else []
    if seen.steps != STEPS[name]:
        wrong.append(f"{seen.steps} of {STEPS[name]} steps were seen")
    return msgspec.structs.replace(
        seen,
        scenario=HEALTHY,
        variant=name,
        program="",
        process=None,
        title=TITLE,
        role=Role.CORRECT,
        expects=Outcome.PASS,
        reason="; ".join([seen.reason, *wrong]),
        as_expected=seen.outcome is Outcome.PASS and not wrong,
    )
