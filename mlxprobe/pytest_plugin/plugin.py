"""pytest: collect scenario files, one item per variant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mlxprobe.catalogue.declaration import Variant
from mlxprobe.catalogue.discovery import Entry, read
from mlxprobe.reports import phrases
from mlxprobe.runner.runner import TIMEOUT_S, Runner
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.metrics import native_call
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.settings.table import resolve
from mlxprobe.verdict.rows import REPEATS

GUARD_S = 30.0  # beyond a variant's own limits, for its correct loop's start and for ending what hangs
_DECLARES = re.compile(r"^probe\s*=\s*Scenario\b|^@probe\.", re.MULTILINE)
INSIDE = "mlxprobe inside a marked test"
RUNNER = pytest.StashKey[Runner]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file that declares a scenario; all others are left to pytest."""
    return ScenarioFile.from_parent(parent, path=file_path) if declares_scenario(file_path) else None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Keep pytest from importing a scenario file, and so MLX, when the file itself is named as an argument."""
    return NoTests.from_parent(parent, path=module_path) if declares_scenario(module_path) else None


def declares_scenario(file: Path) -> bool:
    """Return whether a file looks like a scenario."""
    if file.suffix != ".py" or file.name.startswith(("_", "test_", "conftest")):
        return False
    return bool(_DECLARES.search(file.read_text(encoding="utf-8", errors="replace")))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the settings that matter under pytest."""
    group = parser.getgroup("mlxprobe")
    group.addoption("--mlxprobe-device", default=None, help="Run the scenarios on this device: cpu or gpu.")
    group.addoption("--mlxprobe-stall-limit", default=None, help="Call a program stuck after this many seconds.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker for users' own tests."""
    config.addinivalue_line(
        "markers",
        "mlxprobe(stall_s=10, timeout_s=600, max_growth='1MB/step', must_learn=False, allow=[]): run the test in a "
        "watched process, and fail it with mlxprobe's diagnosis.",
    )
    from mlxprobe.pytest_plugin import marker

    if marker.REPORTS in os.environ:
        config.pluginmanager.register(marker.Inside(config), INSIDE)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a marked test in a process of its own; its fixtures are set up there."""
    mark = item.get_closest_marker("mlxprobe")
    if mark is None or item.config.pluginmanager.has_plugin(INSIDE):
        return None
    from mlxprobe.pytest_plugin import marker

    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in (*marker.run(item, mark), marker.leave_module(item, nextitem)):
        if report is not None:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


class NoTests(pytest.File):
    """What pytest's own collector finds in a scenario file."""

    def collect(self) -> Iterable[pytest.Item]:
        """Collect nothing."""
        return ()


class ScenarioFile(pytest.File):
    """A scenario file: its variants are the items."""

    def collect(self) -> Iterable[pytest.Item]:
        """Read the declarations; a broken file fails alone."""
        try:
            entry = read(self.path)
        except ProbeError as error:
            raise self.CollectError(str(error)) from None
        for variant in entry.variants:
            yield VariantItem.from_parent(self, name=variant.name, entry=entry, variant=variant)


class VariantItem(pytest.Item):
    """One variant, run in a watched process of its own after the scenario's correct loop."""

    def __init__(self, *, entry: Entry, variant: Variant, **rest: Any) -> None:
        super().__init__(**rest)
        self.entry = entry
        self.variant = variant
        limits = resolve(_flags(self.config))
        runs = 1 + 2 * (1 + REPEATS)  # the reference, the correct loop and the variant, each as often as it may run
        self.add_marker(pytest.mark.timeout(runs * (limits.timeout_s or max(TIMEOUT_S.values())) + GUARD_S))

    def runtest(self) -> None:
        """Run the variant and fail with the verdict's evidence where the outcome is not the expected one."""
        row = runner_of(self.config).variant_row(self.entry, self.variant)
        self.user_properties += [("outcome", str(row.outcome)), ("reason", row.reason)]
        if row.outcome is Outcome.SKIPPED:
            pytest.skip(row.reason)
        if not row.as_expected:
            raise UnexpectedOutcomeError(row)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the evidence instead of mlxprobe's own frames."""
        if isinstance(excinfo.value, UnexpectedOutcomeError):
            return explain(excinfo.value.row)
        if isinstance(excinfo.value, ProbeError):
            return f"mlxprobe: {excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Point at the variant's function."""
        return self.path, self.variant.line - 1, f"{self.entry.name}/{self.variant.name}"


class UnexpectedOutcomeError(Exception):
    """A variant's outcome is not the expected one."""

    def __init__(self, row: ProgramRecord) -> None:
        super().__init__(row.reason)
        self.row = row


def runner_of(config: pytest.Config) -> Runner:
    """Return the session's runner, made when the first variant needs it; it runs each correct loop once."""
    if RUNNER not in config.stash:
        from mlxprobe.supervisor.interpreter import usable

        settings = resolve(_flags(config))
        config.stash[RUNNER] = Runner(settings, usable(device=settings.device))
    return config.stash[RUNNER]


def explain(row: ProgramRecord) -> str:
    """Put the verdict's evidence, and the stacks of what hung, into the text of a failure."""
    lines = [f"{row.name}: expected {row.expects}, observed {phrases.observed(row)}", f"  {row.reason}"]
    lines += [f"  {phrases.repeated(row)}"] * bool(row.repeats)
    lines += [f"  {found.code} {found.name}: {found.message}" for found in row.findings]
    for stack in row.stacks:
        lines.append(f"  process {stack.pid}, thread {stack.thread}, innermost call first:")
        lines += [f"    {native_call(frame)}" for frame in stack.native]
        lines += [f"    {frame.file}:{frame.line} in {frame.function}: {frame.code}" for frame in stack.frames]
    if row.raised is not None:
        lines += ["", row.raised.traceback]
    elif not row.as_expected and row.output_tail:
        lines += ["", "the last that it printed:", row.output_tail]
    return "\n".join(lines)


def _flags(config: pytest.Config) -> dict[str, Any]:
    return {
        "device": config.getoption("--mlxprobe-device", None),
        "stall_s": config.getoption("--mlxprobe-stall-limit", None),
    }
