"""`mlxprobe selftest`: all that can be proved of mlxprobe on this machine, in one file to send."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from mlxprobe.cli.common import INTERRUPTED, JUDGED_NOT, leave, tell, with_scenarios, with_settings
from mlxprobe.cli.display import Display, shown
from mlxprobe.settings.table import resolve

if TYPE_CHECKING:
    from mlxprobe.schema.record import ProgramRecord


class LoggingDisplay(Display):
    """A display that keeps a line of each program."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.lines: list[str] = []

    def ended(self, name: str, row: ProgramRecord) -> None:
        """Show and keep what became of a program."""
        super().ended(name, row)
        mark = "ok  " if row.as_expected else "FAIL"
        self.lines.append(f"{self.passed_s:7.1f} s {mark} {name}: {row.outcome}: {row.reason}")


@click.command()
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("mlxprobe-selftest.zip"),
    show_default=True,
    help="Write everything to this file.",
)
@with_scenarios
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device", "scenarios")
def selftest(bundle: Path, patterns: tuple[str, ...], **flags: Any) -> None:
    """Prove mlxprobe on this machine, and pack what was seen into a file to attach to a report.

    It runs healthy trainers, hostile children, what watching costs, and all scenarios; --scenario chooses among the
    first as well: `--scenario healthy-trainers`, `--scenario 'hostile-children/b*'`. The file has records, versions and
    logs, and neither paths of your home nor your name or the machine's. `mlxprobe report` shows it.
    """
    from mlxprobe.catalogue import discovery
    from mlxprobe.cli import doctor
    from mlxprobe.reports import text
    from mlxprobe.runner.runner import Runner, exit_code
    from mlxprobe.schema.reading import DOCTOR
    from mlxprobe.schema.record_io import new_record
    from mlxprobe.selftest import parts
    from mlxprobe.selftest.bundle import VERSIONS, Bundle, versions
    from mlxprobe.supervisor import interpreter

    settings = resolve(flags)
    entries, broken = discovery.find(settings.scenarios)
    chosen = parts.parts(entries, patterns, settings.jobs)
    here = interpreter.usable(device=settings.device)
    problems = [one.problem for one in broken]
    texts = {
        DOCTOR: told(lambda: "\n".join([*doctor.lines(here, settings), ""]), problems),
        VERSIONS: told(versions, problems),
    }
    kept, display = Bundle(bundle, texts), LoggingDisplay(sum(one.count for one in chosen))
    record = new_record(here, (), complete=False, problems=tuple(problems))
    with display:
        runner = Runner(settings, here, display)
        for rows in parts.run(runner, chosen):
            record = replace(record, programs=tuple(rows), wall_s=display.passed_s)
            kept.keep(record, display.lines)
    record = replace(record, complete=not runner.stop.is_set())
    kept.keep(record, display.lines)
    click.echo(shown(text.renderable(record)), nl=False)
    tell(f"{bundle}: {bundle.stat().st_size / 1e3:.0f} kB, to attach to a report; `mlxprobe report {bundle}` shows it")
    if not record.complete:
        leave(INTERRUPTED)
    leave(JUDGED_NOT if problems else exit_code(record.programs))


def told(text: Callable[[], str], problems: list[str]) -> str:
    """Return a text of the bundle; where it cannot be had, note why, and go on without."""
    try:
        return text()
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}")
        return f"{problems[-1]}\n"
