"""`@pytest.mark.mlxprobe`: a user's test in a watched process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlxprobe.reports import diagnosis
from mlxprobe.runner.finding_filter import Selection
from mlxprobe.runner.watch_session import Watch
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.merge_ranks import whole
from mlxprobe.schema.metrics import growth_per_step
from mlxprobe.schema.observation import Program
from mlxprobe.schema.record import Finding, ProgramRecord
from mlxprobe.settings.table import resolve
from mlxprobe.settings.validators import size
from mlxprobe.supervisor.scratch import Scratch
from mlxprobe.verdict.rows import rated

REPORTS = "MLXPROBE_TEST_REPORTS"
ARGUMENTS = {
    "stall_s": "Call the test stuck, and end it, after this many seconds without progress (default: 10).",
    "timeout_s": "End it after this many seconds, even if it makes progress (default: 600).",
    "max_growth": "Fail it where memory grows by more than this size per training step, such as `1MB/step`.",
    "must_learn": "Fail it too if too few losses are known to judge whether the loss falls (default: False).",
    "allow": "Codes of findings, or their beginnings, that do not fail it; notes never do.",
}
NOT_LEARNING = "MP306"
PHASES = ("setup", "call", "teardown")
ALL = Selection()
STOPPED = (Outcome.HANG, Outcome.MEMORY, Outcome.CRASH, Outcome.SLOW)


@dataclass(frozen=True)
class Wanted:
    """What a marker asks for; `growth_bytes` is per training step, None for any."""

    stall_s: float = 10.0
    timeout_s: float = 600.0
    growth_bytes: float | None = None
    must_learn: bool = False
    allow: Selection = ALL


def wanted(marker: pytest.Mark) -> Wanted:
    """Read a marker's arguments.

    Raises:
        UsageError: one is unknown, or has the wrong form.
    """
    given = marker.kwargs
    if marker.args or (unknown := sorted(given.keys() - ARGUMENTS.keys())):
        wrong = ", ".join(map(repr, marker.args or unknown))
        raise UsageError(f"@pytest.mark.mlxprobe: {wrong}: right are {', '.join(sorted(ARGUMENTS))}, each by name")
    growth, must_learn, allow = given.get("max_growth"), given.get("must_learn", False), given.get("allow", ())
    if not isinstance(must_learn, bool):
        raise UsageError(f"@pytest.mark.mlxprobe: must_learn={must_learn!r}: right is True or False")
    if isinstance(allow, str) or not all(isinstance(code, str) for code in allow):
        raise UsageError(f"@pytest.mark.mlxprobe: allow={allow!r}: right is a list of codes, such as ['MP306']")
    return Wanted(
        stall_s=seconds("stall_s", given.get("stall_s", Wanted.stall_s)),
        timeout_s=seconds("timeout_s", given.get("timeout_s", Wanted.timeout_s)),
        growth_bytes=None if growth is None else per_step(growth),
        must_learn=must_learn,
        allow=Selection(ignore=tuple(allow)),
    )


def seconds(name: str, value: Any) -> float:
    """Read a time limit."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf"):
        return float(value)
    raise UsageError(f"@pytest.mark.mlxprobe: {name}={value!r}: right is a number of seconds above 0")


def per_step(text: Any) -> float:
    """Read a size per step, such as `1MB/step`."""
    found = re.fullmatch(r"(.+?)\s*/\s*step", str(text))
    try:
        if found:
            return float(size(found[1]))
    except ValueError:
        pass
    raise UsageError(f"@pytest.mark.mlxprobe: max_growth={text!r}: right is a size per step, such as '1MB/step'")


class Inside:
    """In a marked test's own process: write the report of each phase for the pytest that watches it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._file = Path(os.environ.pop(REPORTS))  # a pytest that the test itself starts is none of ours

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a line."""
        told = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told, default=str) + "\n")


def run(item: pytest.Item, marker: pytest.Mark) -> list[pytest.TestReport]:
    """Run one test in a pytest of its own, watched; return the reports of its phases, with our verdict in them."""
    began = time.time()
    try:
        asked = wanted(marker)
        reports, seen, growth = _run_watched(item, asked)
    except ProbeError as error:
        return [_report(item, began, f"mlxprobe: {error}")]
    problem = _problem(bool(reports) and reports[-1].when == "teardown", seen, growth, asked)
    if not problem or any(one.outcome == "skipped" for one in reports):
        return reports
    failed = [one for one in reports if one.outcome == "failed"]
    if failed:
        failed[0].sections += [("mlxprobe", problem)] if seen.outcome is not Outcome.UNJUDGED else []
        return reports
    called = _report(item, began, problem)
    called.sections = [section for one in reports for section in one.sections]
    return sorted([called, *(one for one in reports if one.when != "call")], key=lambda one: PHASES.index(one.when))


def leave_module(item: pytest.Item, nextitem: pytest.Item | None) -> pytest.TestReport | None:
    """Tear down what other tests of its module and class left set up; return a report where that fails.

    pytest does so at the end of every test, and this one does not end in this process.
    """
    capture: Any = item.config.pluginmanager.getplugin("capturemanager")
    with capture.item_capture("teardown", item) if capture else contextlib.nullcontext():
        call = pytest.CallInfo.from_call(lambda: item.session._setupstate.teardown_exact(nextitem), when="teardown")
    return item.ihook.pytest_runtest_makereport(item=item, call=call) if call.excinfo else None


def _report(item: pytest.Item, began: float, problem: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="failed",
        longrepr=problem,
        when="call",
        duration=time.time() - began,
        start=began,
        stop=time.time(),
    )


def _run_watched(item: pytest.Item, asked: Wanted) -> tuple[list[pytest.TestReport], ProgramRecord, float]:
    with Scratch() as folder:
        file = folder / "reports.jsonl"
        program = Program(
            name=item.nodeid,
            command=tuple(_command(item, folder)),
            cwd=str(item.config.invocation_params.dir),
            env={REPORTS: str(file), "PYTEST_ADDOPTS": ""},
        )
        settings = replace(resolve({}), stall_s=asked.stall_s, timeout_s=asked.timeout_s)
        watch = Watch(program, settings)
        seen = whole(watch.run())
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        told = [json.loads(line) for line in lines if line.endswith("}")]
        hook = item.config.hook
        reports = [hook.pytest_report_from_serializable(config=item.config, data=one) for one in told]
        for one in reports:
            if isinstance(one.longrepr, list):  # a skip's is a tuple, which JSON does not know
                one.longrepr = tuple(one.longrepr)
    return reports, seen, growth_per_step(watch.seen[0]) if watch.seen else 0.0


def _command(item: pytest.Item, folder: Path) -> list[str]:
    """Return the pytest that runs this test alone, with the plugins and the import mode of the one that is running."""
    config = item.config
    command = [sys.executable, "-m", "pytest", f"{config.rootpath}{os.sep}{item.nodeid}", "-q", "-o", "addopts="]
    command += ["--rootdir", str(config.rootpath), f"--basetemp={folder}/base", "-o", f"cache_dir={folder}/cache"]
    command += ["-c", str(config.inipath)] if config.inipath else []
    command += [f"--import-mode={config.getoption('importmode')}"]
    for plugin in config.option.plugins:
        command += ["-p", plugin]
    return command


def _problem(ended: bool, seen: ProgramRecord, growth: float, asked: Wanted) -> str:
    """Return what mlxprobe has against a test; empty where it has nothing."""
    parts = []
    if not ended or seen.outcome in STOPPED:
        parts.append(f"the test did not come to its end: {seen.outcome}: {seen.reason}")
    elif seen.outcome is Outcome.UNJUDGED:
        parts.append(f"nothing can be said of the test: {seen.reason}")
    grave = tuple(one for one in seen.findings if _counts(one, asked))
    if grave:
        parts.append("mlxprobe found:")
    if asked.growth_bytes is not None and growth > asked.growth_bytes:
        parts.append(f"memory grows by {growth / 1e6:.2f} MB a step; {asked.growth_bytes / 1e6:g} MB are allowed")
    if asked.must_learn and (why := next((one.why for one in seen.unchecked if one.code == NOT_LEARNING), "")):
        parts.append(f"must_learn could not be checked: {why}")
    if not parts:
        return ""
    if not ended and seen.output_tail.strip():
        parts += ["", "the last that it printed:", seen.output_tail.strip()]
    return "\n".join([*parts, "", diagnosis.told(rated(msgspec.structs.replace(seen, findings=grave)), 100)])


def _counts(found: Finding, asked: Wanted) -> bool:
    return asked.allow.selects(found.code) and found.severity is not Severity.NOTE
