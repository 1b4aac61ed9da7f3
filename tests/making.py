"""Values for the tests of the pure rooms: a healthy observation, and what to change in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from mlxprobe.schema.enums import HangKind, Outcome, Role
from mlxprobe.schema.observation import (
    Environment,
    Frame,
    Limits,
    MlxSample,
    Observation,
    Raised,
    Reading,
    Sample,
    Silence,
    Stack,
    Step,
)
from mlxprobe.schema.record import Expectation, ProgramRecord, Record, Verdict
from mlxprobe.schema.record_io import row
from mlxprobe.schema.versions import SCHEMA_VERSION
from mlxprobe.verdict.rows import rated

LIMITS = Limits(stall_s=1.0, startup_s=10.0, timeout_s=60.0, memory_bytes=1_000_000_000)
HERE = Environment(
    python="3.12.0", executable=sys.executable, platform="Linux", mlx="0.32.4", device="cpu", devices=("cpu",)
)
STACK = Stack(pid=7, thread="0x1", frames=(Frame(file="train.py", line=42, function="train", code="mx.eval(loss)"),))


def seen(**changes: Any) -> Observation:
    """Return a healthy run of twenty steps, changed as given."""
    healthy = Observation(
        program="toy/healthy",
        limits=LIMITS,
        exit_code=0,
        begun=True,
        finished=True,
        steps=tuple(Step(n=n, t_s=0.1 * n, step_s=0.01, gradients=1, pending=0) for n in range(1, 21)),
        losses=tuple(Reading(step=n, value=4.0 / n) for n in range(1, 21)),
        samples=tuple(Sample(t_s=0.1 * n, rss_bytes=50_000_000, cpu_s=0.1 * n) for n in range(30)),
        memory=(MlxSample(t_s=0.5, active_bytes=1000, cache_bytes=100, peak_bytes=2000),),
        result={"weight": (2.0, 1.0, -1.0)},
        score=0.2,
        wall_s=3.0,
    )
    return msgspec.structs.replace(healthy, **changes)


def stalled(kind: HangKind, **changes: Any) -> Observation:
    """Return a run that was ended for its silence."""
    silence = Silence(silent_s=1.1, cpu_s=1.0 if kind is HangKind.STALL else 0.0, kind=kind, stacks=(STACK,))
    given = {"ended": "stalled", "exit_code": -15, "finished": False, "silence": silence, "score": None, "result": {}}
    return seen(**given | changes)


def raised(message: str = "bad shape", **changes: Any) -> Observation:
    """Return a run that an exception ended."""
    error = Raised(type="ValueError", message=message, file="train.py", line=9, traceback="Traceback …")
    return seen(**{"exit_code": 1, "finished": False, "raised": error, "score": None, "result": {}} | changes)


def record_row(outcome: Outcome = Outcome.PASS, **changes: Any) -> ProgramRecord:
    """Return a row of a record with this outcome, as expected unless changed."""
    verdict = Verdict(outcome=outcome, reason="because of 42 | pipes & <tags>", as_expected=True)
    expectation = Expectation(role=Role.BROKEN, expects=outcome)
    made = row(seen(), (), verdict, expectation, scenario="toy", variant="healthy", summary="Train.")
    return msgspec.structs.replace(made, **changes)


def watched_row(outcome: Outcome = Outcome.PASS, **changes: Any) -> ProgramRecord:
    """Return a row of a watched program that ended so, with the verdict that its findings leave it."""
    names = {"program": "train.py", "scenario": "", "variant": "", "role": None, "expects": None, "summary": ""}
    return rated(record_row(outcome, **names | changes))


def record(*rows: ProgramRecord, **changes: Any) -> Record:
    """Return a record of these rows."""
    made = Record(
        schema_version=SCHEMA_VERSION,
        mlxprobe="0.1.0",
        time="2026-01-01T00:00:00+00:00",
        environment=HERE,
        programs=rows or (record_row(),),
        wall_s=3.0,
    )
    return msgspec.structs.replace(made, **changes)


def scenario(folder: Path, name: str, first: str = "@probe.correct", body: str = "    pass") -> Path:
    """Write a scenario of two variants."""
    file = folder / f"{name}.py"
    file.write_text(
        '"""A title.\n\nSymptom: s.\nCause: c.\nFix: f.\n"""\n\nimport mlx.core\n\n'
        f"from mlxprobe import Outcome, Scenario\n\nprobe = Scenario()\n\n\n{first}\ndef right():\n"
        f'    """Do it right."""\n{body}\n\n\n@probe.broken(expects=Outcome.PASS)\ndef wrong():\n'
        f'    """Do it wrong."""\n{body}\n'
    )
    return file
