"""`@pytest.mark.mlxprobe`: a user's test in a watched process of its own."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlxprobe.checks import size
from mlxprobe.errors import UsageError
from mlxprobe.measures import growth_per_step
from mlxprobe.model import Finding, Program, ProgramRecord
from mlxprobe.reports import diagnosis
from mlxprobe.settings import resolve
from mlxprobe.vocabulary import Outcome, Severity
from mlxprobe.watching import Watch

REPORT = "MLXPROBE_TEST_REPORT"
KNOWN = {"stall_s", "timeout_s", "max_growth", "must_learn", "allow"}
NOT_LEARNING = "MP306"


@dataclass(frozen=True)
class Wanted:
    """What a marker asks for; `growth_bytes` is per training step, None for any."""

    stall_s: float = 10.0
    timeout_s: float = 600.0
    growth_bytes: float | None = None
    must_learn: bool = False
    allow: tuple[str, ...] = ()


class Told(msgspec.Struct):
    """What the test's own pytest says of it."""

    outcome: str = ""
    text: str = ""


def wanted(marker: pytest.Mark) -> Wanted:
    """Read a marker's arguments.

    Raises:
        UsageError: one is unknown, or has the wrong form.
    """
    given = marker.kwargs
    if marker.args or (unknown := set(given) - KNOWN):
        raise UsageError(f"@pytest.mark.mlxprobe: {marker.args or unknown} is not one of {', '.join(sorted(KNOWN))}")
    growth = given.get("max_growth")
    return Wanted(
        stall_s=float(given.get("stall_s", 10.0)),
        timeout_s=float(given.get("timeout_s", 600.0)),
        growth_bytes=None if growth is None else per_step(growth),
        must_learn=bool(given.get("must_learn", False)),
        allow=tuple(given.get("allow", ())),
    )


def per_step(text: Any) -> float:
    """Read a size per step, such as `1MB/step`."""
    found = re.fullmatch(r"(.+?)\s*/\s*step", str(text))
    try:
        if found:
            return float(size(found[1]))
    except ValueError:
        pass
    raise UsageError(f"@pytest.mark.mlxprobe: max_growth={text!r}: right is a size per step, such as '1MB/step'")


def is_inside() -> bool:
    """Tell whether this pytest runs one marked test in its watched process."""
    return REPORT in os.environ


def run(item: pytest.Item, marker: pytest.Mark) -> pytest.TestReport:
    """Run one test in a pytest of its own, watched, and judge both."""
    began = time.time()
    try:
        asked = wanted(marker)
        told, seen, growth = _run_watched(item, asked)
        problem = _problem(told, seen, growth, asked)
    except UsageError as error:
        told, problem = Told(outcome="failed"), f"mlxprobe: {error}"
    outcome = "failed" if problem else told.outcome
    path, line, _ = item.location
    longrepr: Any = problem or None
    if outcome == "skipped":
        longrepr = (path, line or 0, told.text)
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=longrepr,
        when="call",
        duration=time.time() - began,
        start=began,
        stop=time.time(),
    )


def _run_watched(item: pytest.Item, asked: Wanted) -> tuple[Told, ProgramRecord, float]:
    config = item.config
    with tempfile.TemporaryDirectory(prefix="mlxprobe-test-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", item.nodeid, "-q", "-p", "no:cacheprovider", "-o", "addopts="]
        command += ["--rootdir", str(config.rootpath), f"--basetemp={folder}/base"]
        command += ["-c", str(config.inipath)] if config.inipath else []
        for plugin in config.option.plugins:
            command += ["-p", plugin] if not plugin.startswith("no:") else []
        program = Program(
            name=item.nodeid,
            command=tuple(command),
            cwd=str(config.rootpath),
            env={REPORT: str(report), "PYTEST_XDIST_WORKER": "", "PYTEST_ADDOPTS": ""},
        )
        settings = replace(resolve({}), stall_s=asked.stall_s, timeout_s=asked.timeout_s)
        watch = Watch(program, settings)
        seen = watch.run()
        told = msgspec.json.decode(report.read_bytes(), type=Told) if report.is_file() else Told()
    return told, seen, growth_per_step(watch.seen) if watch.seen else 0.0


def write_report(report: pytest.TestReport) -> None:
    """Tell the watching pytest how the test went: the first phase that did not pass, or that all passed."""
    file = Path(os.environ[REPORT])
    if file.is_file() and msgspec.json.decode(file.read_bytes(), type=Told).outcome != "passed":
        return
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    file.write_bytes(msgspec.json.encode(Told(outcome=report.outcome, text=str(text))))


def _problem(told: Told, seen: ProgramRecord, growth: float, asked: Wanted) -> str:
    """Return why the test fails; empty where it does not."""
    if told.outcome == "failed":
        return told.text
    parts = []
    if not told.outcome or seen.outcome in (Outcome.HANG, Outcome.MEMORY, Outcome.CRASH, Outcome.SLOW):
        parts.append(f"the test did not end: {seen.outcome}: {seen.reason}")
    grave = [one for one in seen.findings if _counts(one, asked)]
    if grave:
        parts.append("mlxprobe found:")
    if asked.growth_bytes is not None and growth > asked.growth_bytes:
        parts.append(f"memory grows by {growth / 1e6:.2f} MB a step; {asked.growth_bytes / 1e6:g} MB are allowed")
    if asked.must_learn and (why := next((one.message for one in seen.findings if _blind(one)), "")):
        parts.append(f"must_learn could not be checked: {why}")
    if not parts:
        return ""
    kept = msgspec.structs.replace(seen, findings=tuple(grave))
    return "\n".join([*parts, "", diagnosis.told(kept, 100)])


def _counts(found: Finding, asked: Wanted) -> bool:
    if not found.checked or any(found.code.startswith(prefix) for prefix in asked.allow):
        return False
    return found.severity is not Severity.NOTE


def _blind(found: Finding) -> bool:
    return found.code == NOT_LEARNING and not found.checked
