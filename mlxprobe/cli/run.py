"""`mlxprobe run`."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.common import (
    INTERRUPTED,
    JUDGED_NOT,
    deliver,
    latest,
    leave,
    tell,
    with_report,
    with_scenarios,
    with_settings,
)
from mlxprobe.settings.table import resolve

if TYPE_CHECKING:
    from mlxprobe.schema.record import Record


@click.command()
@with_scenarios
@with_report(("text", "json", "markdown", "junit", "html"))
@click.option("--open", "opened", is_flag=True, help="Show the HTML report in the browser.")
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device", "scenarios", "reports", "on")
def run(patterns: tuple[str, ...], form: str, output: Path | None, opened: bool, **flags: Any) -> None:
    """Run scenarios and say which failure modes are real here."""
    from mlxprobe.catalogue import discovery
    from mlxprobe.cli import report_inputs
    from mlxprobe.cli.display import Display
    from mlxprobe.cluster.executor import place
    from mlxprobe.cluster.runners import Runners
    from mlxprobe.reports import FORMATS, text
    from mlxprobe.runner.runner import exit_code
    from mlxprobe.runner.schedule import flat, scenario_tasks, side_by_side
    from mlxprobe.schema.record_io import check_writable, new_record

    settings = resolve(flags)
    entries, broken = discovery.find(settings.scenarios)
    for one in broken:
        tell(one.problem)
    chosen = discovery.select(entries, patterns)
    kept = latest(settings, everything=not patterns)
    for file in (output, kept / "record.json"):
        check_writable(file)
    began = time.monotonic()
    tasks = scenario_tasks(chosen)
    with Display(total=len(flat(tasks))) as display, place(settings, display) as where:
        runner = Runners(where, display).current()
        (rows,) = side_by_side([runner], tasks, where)
    record = new_record(
        runner.environment,
        rows.values(),
        complete=not runner.stop.is_set(),
        wall_s=time.monotonic() - began,
        problems=tuple(one.problem for one in broken),
    )
    forms = FORMATS | {"html": lambda record: report_inputs.page([record], settings.scenarios)}
    files = {"json": "json", "text": "txt", "markdown": "md", "junit": "xml"}
    deliver(
        form,
        output,
        lambda name: forms[name](record),
        *(partial(_keep, kept / f"record.{ending}", FORMATS[name], record) for name, ending in files.items()),
        show=lambda: text.renderable(record),
    )
    if opened:
        show_page(kept / "report.html", forms["html"](record))
    if runner.stop.is_set():
        leave(INTERRUPTED)
    leave(JUDGED_NOT if broken else exit_code(record.programs))


def _keep(file: Path, render: Callable[[Record], str], record: Record) -> None:
    from mlxprobe.schema.record_io import write

    write(file, render(record).encode())


def show_page(file: Path, page: str) -> None:
    """Write a page and open it in the browser."""
    from mlxprobe.schema.record_io import write

    write(file, page.encode())
    webbrowser.open(file.resolve().as_uri())
