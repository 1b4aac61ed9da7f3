"""`mlxprobe gate`: two releases compared."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.annotated import Annotated
from mlxprobe.cli.chosen import Chosen, chosen, every_name
from mlxprobe.cli.common import (
    INTERRUPTED,
    check_output,
    each,
    latest,
    leave,
    tell,
    with_report,
    with_scenarios,
    with_settings,
)
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.settings.project import project_table
from mlxprobe.settings.table import Settings, resolve

if TYPE_CHECKING:
    from mlxprobe.reports.gate import GateReport
    from mlxprobe.schema.record import Record
    from mlxprobe.upgrade.allowances import Allowance

RANDOM = "random/"  # how the comparisons of random programs are called


@click.command(cls=Annotated)
@click.option("--baseline", required=True, metavar="FILE|RELEASE", help="A record, or the release in use.")
@click.option("--candidate", default="current", metavar="RELEASE", help="The release to judge (default: current).")
@click.option("--allow", "allowed", multiple=True, metavar="PROGRAM[:WHAT]=REASON", help="Accept a known regression.")
@click.option("--random", "programs", type=click.IntRange(1), help="Also run N random programs (see `fuzz`).")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draw other random programs (default: 0).")
@with_scenarios
@with_report(("text", "json", "markdown", "junit", "github", "html"))
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device", "scenarios", "reports", "requirements", "on")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def gate(
    baseline: str,
    candidate: str,
    allowed: tuple[str, ...],
    programs: int | None,
    seed: int,
    patterns: tuple[str, ...],
    form: str,
    output: Path | None,
    command: tuple[str, ...],
    **flags: Any,
) -> None:
    """Compare two MLX releases; exit 1 on a regression.

    Programs are the scenarios and [tool.mlxprobe.programs], or those chosen by --scenario, or the COMMAND after `--`.
    With --random, random programs are run on both releases too: what only the candidate shows is a regression.
    """
    from mlxprobe.schema.record_io import check_writable
    from mlxprobe.upgrade import allowances

    settings, everything = resolve(flags), not (patterns or command)
    allowing = [*allowances.ordered(allowed), *allowances.declared(*project_table(Path.cwd()))]
    kept = latest(settings, everything=everything) / "gate.json"
    check_output(output, baseline)
    check_writable(kept)
    some = chosen(settings, patterns, command)
    report = _run(settings, baseline, candidate, some, programs, seed)
    existing = () if everything or all(one.by_flag for one in allowing) else every_name(settings)
    report, code = _decided(_allowed(report, allowing, existing), some)
    _deliver(report, form, output, kept)
    if why := report.problem or "; ".join(_unimportable(report)):
        tell(why)
    leave(code if report.complete else INTERRUPTED)


def _deliver(report: GateReport, form: str, output: Path | None, kept: Path) -> None:
    """Write the report's files and then print it, so that what is printed last is no pass where a file failed.

    Raises:
        ProbeError: a file could not be written.
    """
    import msgspec

    from mlxprobe.reports.gate import GATE_FORMATS
    from mlxprobe.schema.record_io import write
    from mlxprobe.upgrade.diff import regressions

    def printed() -> None:
        click.echo(GATE_FORMATS["text" if output is not None else form](report), nl=False)

    try:
        each(
            *[lambda: write(Path(output or ""), GATE_FORMATS[form](report).encode())] * (output is not None),
            lambda: write(kept, GATE_FORMATS["json"](report).encode()),
            *[lambda: summarise(GATE_FORMATS["markdown"](report))] * (form == "github"),
        )
    except ProbeError as error:
        if not (report.problem or regressions(report.comparisons)):
            report = msgspec.structs.replace(report, problem=str(error))
        each(printed)
        raise
    each(printed)


def _run(
    settings: Settings, baseline: str, candidate: str, some: Chosen, programs: int | None, seed: int
) -> GateReport:
    """Run both releases; what keeps that from happening is the report's `problem`.

    Raises:
        UsageError: an argument cannot be used.
    """
    import msgspec

    from mlxprobe.reports.gate import GATE_SCHEMA_VERSION, GateReport

    report = GateReport(schema_version=GATE_SCHEMA_VERSION, baseline=baseline, candidate=candidate)
    try:
        report = _gated(settings, report, some)
        if programs and report.complete and report.environment is not None:
            report = _with_random(report, settings, (baseline, candidate), programs, seed)
    except UsageError:
        raise
    except ProbeError as error:  # after the scenarios, where random programs cannot be run
        return msgspec.structs.replace(
            report, problem=str(error), notes=(*report.notes, str(error)) if report.comparisons else ()
        )
    return report


def _decided(report: GateReport, some: Chosen) -> tuple[GateReport, int]:
    """Return the report with the reason that it is no pass, if it is none, and the exit code."""
    import msgspec

    from mlxprobe.upgrade.decision import decide

    random = [one.program for one in report.comparisons if one.program.startswith(RANDOM)]
    named = {*some.named, *some.broken, *random} if report.environment is not None else set()
    decision = decide(report.comparisons, named, problem=report.problem, skipped=report.skipped)
    return msgspec.structs.replace(report, problem=decision.why if report.complete else ""), decision.exit_code


def _unimportable(report: GateReport) -> list[str]:
    """Return why nothing was run on a candidate that does not import: a regression, without any program of its own."""
    from mlxprobe.upgrade.diff import IMPORT

    return [told.text for one in report.comparisons if one.program == IMPORT for told in one.differences]


def _with_random(
    report: GateReport, settings: Settings, releases: tuple[str, str], programs: int, seed: int
) -> GateReport:
    """Run the same random programs on both releases, and add what differs.

    Raises:
        UsageError: the baseline is a record, on which nothing can be run.
    """
    import msgspec

    from mlxprobe.cli.fuzz import fuzzed
    from mlxprobe.fuzz.sides import comparisons
    from mlxprobe.reports.fuzz import summary

    if recorded(releases[0]) is not None:
        raise UsageError(f"--random: {releases[0]} is a record; right is a release, on which programs can be run")
    told = fuzzed(settings, list(releases), seed, (), None, programs, None)
    return msgspec.structs.replace(
        report,
        comparisons=(*report.comparisons, *comparisons(told)),
        complete=report.complete and told.complete,
        wall_s=report.wall_s + told.wall_s,
        notes=tuple(f"Random programs: {line}" for line in summary(told)),
    )


def _allowed(report: GateReport, allowing: Sequence[Allowance], existing: Iterable[str]) -> GateReport:
    """Mark the allowed regressions, and name the allowances that match no program."""
    import msgspec

    from mlxprobe.upgrade.allowances import allow, idle

    if report.complete and report.environment is not None:
        for note in idle(report.comparisons, allowing, existing):
            tell(note)
    return msgspec.structs.replace(report, comparisons=tuple(allow(report.comparisons, allowing)))


def recorded(baseline: str) -> Record | None:
    """Return the record that a baseline is; None where it is a release.

    Raises:
        UsageError: it is neither, or the record cannot be used.
    """
    from mlxprobe.releases.index import ACCEPTED, is_spec
    from mlxprobe.schema.record_io import load

    file = Path(baseline)
    if file.suffix in (".json", ".zip") and not file.is_dir():
        return load(file)
    if is_spec(baseline):
        return None
    there = "is a folder; " if file.is_dir() else "is a file of another kind; " if file.exists() else ""
    found = f"{there}neither a record nor a release was found"
    raise UsageError(
        f"--baseline {baseline}: {found}; right is a record (FILE.json, or selftest's FILE.zip), or {ACCEPTED}"
    )


def _gated(settings: Settings, empty: GateReport, some: Chosen) -> GateReport:
    """Run both sides, or the candidate alone where the baseline is a record, and compare."""
    import msgspec

    from mlxprobe.cli.display import Display
    from mlxprobe.cluster.executor import place
    from mlxprobe.cluster.runners import Runners
    from mlxprobe.schema.errors import BrokenReleaseError, NoWheelError
    from mlxprobe.schema.record import Record
    from mlxprobe.upgrade import gate as gating

    baseline, began = empty.baseline, time.monotonic()
    record = recorded(baseline)
    with Display() as display, place(settings, display) as where:
        runners = Runners(where, display)
        try:
            before = record or runners.baseline(baseline)
            after = runners.runner(empty.candidate)
        except NoWheelError as error:
            return msgspec.structs.replace(empty, skipped=str(error))
        except BrokenReleaseError as error:
            return msgspec.structs.replace(empty, comparisons=(gating.import_fails(error),))
        name = f"mlx {before.environment.mlx}"
        if isinstance(before, Record):
            name += f" ({Path(baseline).name})"
            found = gating.against(before, after, some.tasks, where, display.say)
        else:
            found = gating.between(before, after, some.tasks, where, display.say)
    return msgspec.structs.replace(
        empty,
        baseline=name,
        candidate=f"mlx {after.environment.mlx}",
        environment=after.environment,
        comparisons=(*found, *map(gating.unreadable, some.broken, some.broken.values())),
        complete=not runners.stop.is_set(),
        wall_s=time.monotonic() - began,
    )


def summarise(markdown: str) -> None:
    """Append to the step summary of a GitHub job, where there is one.

    Raises:
        ProbeError: it cannot be written.
    """
    from mlxprobe.schema.record_io import without_waiting

    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with open(file, "a", encoding="utf-8", opener=without_waiting) as summary:
                summary.write(markdown)
        except OSError as error:
            raise ProbeError(f"GITHUB_STEP_SUMMARY: {file}: cannot be written: {error.strerror}") from None
