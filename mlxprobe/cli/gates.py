"""`mlxprobe gate`, `envs`: two releases compared, and the environments that releases live in."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.common import INTERRUPTED, deliver, leave, tell, with_report, with_scenarios, with_settings
from mlxprobe.errors import UsageError
from mlxprobe.settings import Settings, project_table, resolve

if TYPE_CHECKING:
    from mlxprobe.reports.gate import GateReport
    from mlxprobe.schedule import Task


@click.command()
@click.option("--baseline", required=True, metavar="FILE|RELEASE", help="A record, or the release in use.")
@click.option("--candidate", default="current", metavar="RELEASE", help="The release to judge (default: current).")
@click.option("--allow", "allowed", multiple=True, metavar="PROGRAM[:WHAT]=REASON", help="Accept a known regression.")
@with_scenarios
@with_report(("text", "json", "markdown", "junit", "github"))
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device", "scenarios", "reports")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def gate(
    baseline: str,
    candidate: str,
    allowed: tuple[str, ...],
    patterns: tuple[str, ...],
    form: str,
    output: Path | None,
    command: tuple[str, ...],
    **flags: Any,
) -> None:
    """Compare two MLX releases; exit 1 on a regression.

    Programs are the scenarios and [tool.mlxprobe.programs], or those chosen by --scenario, or the COMMAND after `--`.
    """
    from mlxprobe.changes import regressions
    from mlxprobe.environments import NotInstallableError
    from mlxprobe.record import write
    from mlxprobe.reports.gate import GATE_FORMATS

    settings = resolve(flags)
    tasks, reasons = tasks_of(settings, patterns, command), allowances(allowed)
    try:
        report = _gated(settings, baseline, candidate, tasks, reasons)
    except NotInstallableError as error:  # a release that the index has, but not for this machine, fails no gate
        click.echo(f"skipped: {error}")
        leave(0)
        return
    deliver(
        form,
        output,
        lambda name: GATE_FORMATS[name](report),
        lambda: click.echo(GATE_FORMATS["text"](report), nl=False),
    )
    if form == "github":
        summarise(GATE_FORMATS["markdown"](report))
    write(Path(settings.reports) / "latest" / "gate.json", GATE_FORMATS["json"](report).encode())
    leave(int(bool(regressions(report.comparisons))) if report.complete else INTERRUPTED)


def _gated(
    settings: Settings, baseline: str, candidate: str, tasks: Sequence[Task], reasons: Mapping[str, str]
) -> GateReport:
    """Run both sides, or the candidate alone where the baseline is a record, and compare."""
    from mlxprobe import gate as gating
    from mlxprobe.display import Display
    from mlxprobe.record import load
    from mlxprobe.reports.gate import GATE_SCHEMA_VERSION, GateReport
    from mlxprobe.sides import Sides

    began = time.monotonic()
    record = load(Path(baseline)) if Path(baseline).suffix == ".json" else None
    with Display() as display:
        sides = Sides(settings, display)
        after = sides.runner(candidate)
        if record is not None:
            name = f"mlx {record.environment.mlx} ({Path(baseline).name})"
            found = gating.against(record, after, tasks, settings.jobs, display.say)
        else:
            before = sides.runner(baseline)
            name = f"mlx {before.environment.mlx}"
            found = gating.between(before, after, tasks, settings.jobs, display.say)
    return GateReport(
        schema_version=GATE_SCHEMA_VERSION,
        baseline=name,
        candidate=f"mlx {after.environment.mlx}",
        environment=after.environment,
        comparisons=tuple(gating.allow(found, reasons)),
        complete=not sides.stop.is_set(),
        wall_s=time.monotonic() - began,
    )


def summarise(markdown: str) -> None:
    """Append to the step summary of a GitHub job, where there is one."""
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(markdown)


def tasks_of(settings: Settings, patterns: Sequence[str], command: Sequence[str]) -> list[Task]:
    """Choose the programs: a command alone, or the chosen scenarios and, without a choice, the project's own."""
    from mlxprobe import catalogue, programs
    from mlxprobe.schedule import scenario_tasks, user_tasks

    if command:
        return user_tasks([programs.ad_hoc(command)])
    entries, broken = catalogue.find(settings.scenarios)
    for one in broken:
        tell(one.problem)
    own = programs.declared(*project_table(Path.cwd()))
    if not patterns:
        return scenario_tasks(catalogue.select(entries, ())) + user_tasks(own)
    names = [pattern.removeprefix("programs/") for pattern in patterns]
    mine = [one for one in own if any(fnmatch.fnmatchcase(one.name, name) for name in names)]
    rest = [
        pattern
        for pattern, name in zip(patterns, names, strict=True)
        if not fnmatch.filter([p.name for p in own], name)
    ]
    return (scenario_tasks(catalogue.select(entries, rest)) if rest else []) + user_tasks(mine)


def allowances(given: Sequence[str]) -> dict[str, str]:
    """Join `--allow` with [tool.mlxprobe.allow]; each needs a reason."""
    _, table = project_table(Path.cwd())
    found = {str(pattern): str(reason) for pattern, reason in table.get("allow", {}).items()}
    for one in given:
        pattern, _, reason = one.partition("=")
        if not reason.strip():
            raise UsageError(f"--allow {one}: has no reason; PROGRAM[:WHAT]=REASON is right")
        found[pattern] = reason.strip()
    return found


@click.command()
@click.option(
    "--remove", "removed", metavar="RELEASE|all", multiple=True, help="Remove a release's environments; repeatable."
)
def envs(removed: tuple[str, ...]) -> None:
    """List the cached environments with size and age, or remove some."""
    from mlxprobe import environments

    there = environments.installed()
    for name in removed:
        doomed = [one for one in there if name in ("all", one.release)]
        if not doomed:
            known = ", ".join(one.release for one in there) or "none"
            raise UsageError(f"--remove: no environment of {name!r} is cached; there are {known}")
        for one in doomed:
            environments.remove(Path(one.folder))
            click.echo(f"removed {one.folder}")
    if not removed:
        for one in there:
            age = f"{one.age_s / 86400:.0f} d" if one.age_s > 86400 else f"{one.age_s / 3600:.1f} h"
            click.echo(
                f"{one.release:10} Python {one.python:8} {one.size_bytes / 1e6:6.0f} MB  used {age} ago  {one.folder}"
            )
        click.echo(
            f"{len(there)} environments, {sum(one.size_bytes for one in there) / 1e6:.0f} MB, in {environments.root()}"
        )
