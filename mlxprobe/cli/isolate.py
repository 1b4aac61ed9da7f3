"""`mlxprobe isolate`: a program again and again, one thing changed at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlxprobe.cli.common import INTERRUPTED, JUDGED_NOT, check_output, deliver, leave, with_report, with_settings
from mlxprobe.cli.program import Program, command_of, with_program
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.texts import encodable
from mlxprobe.settings.machine_limits import memory_limit
from mlxprobe.settings.table import Settings, resolve

STALL_S = 10.0
TIMEOUT_S = 120.0


@click.command(cls=Program, context_settings={"allow_interspersed_args": False})
@click.option("--only", multiple=True, metavar="NAME", help="Try only this intervention; repeatable.")
@click.option("--all", "every", is_flag=True, help="Try all, not only those that may take away what is found.")
@click.option("--with", "always", multiple=True, metavar="NAME", help="Apply this one in every trial; repeatable.")
@click.option("--steps", type=click.IntRange(1), default=200, help="End each trial after this many steps (200).")
@with_report(("text", "json", "markdown", "html"))
@with_settings("memory", "device", timeout_s="120s a trial", stall_s="10s")
@with_program
def isolate(
    words: tuple[str, ...],
    python: str,
    is_module: bool,
    is_command: bool,
    only: tuple[str, ...],
    every: bool,
    always: tuple[str, ...],
    steps: int,
    form: str,
    output: Path | None,
    **flags: Any,
) -> None:
    """Run a program as it is, then with one thing changed at a time, and say which change cures it."""
    from mlxprobe.cli.display import Display
    from mlxprobe.reports.isolation import ISOLATION_FORMATS, renderable
    from mlxprobe.runner.isolate import Trials
    from mlxprobe.runner.isolation_result import known_names

    settings = within_limits(resolve(flags))
    check_output(output, *(words if is_command else words[:1]))
    for name in (*only, *always):
        if name not in known_names():
            raise UsageError(f"there is no intervention {name!r}; there are {', '.join(known_names())}")
    if pipe := next((one for one in words[: 2 if is_command else 1] if Path(one).is_fifo()), ""):
        raise UsageError(f"{pipe}: is a pipe, which can be read once; right is a file, to be run again and again")
    command = command_of(words, python, is_module=is_module, is_command=is_command)
    names = [name for name in known_names() if every or name in only] or None
    with Display() as display:
        found = Trials(encodable(words[0]), command, settings, steps, display).run(names, always)
    deliver(form, output, lambda name: ISOLATION_FORMATS[name](found), show=lambda: renderable(found))
    unjudged = found.trials[0].seen.outcome is Outcome.UNJUDGED
    leave(INTERRUPTED if not found.complete else JUDGED_NOT if unjudged else int(not found.healthy))


def within_limits(settings: Settings) -> Settings:
    """Give trials limits where nobody else did: what hangs must end."""
    from dataclasses import replace

    return replace(
        settings,
        stall_s=settings.stall_s or STALL_S,
        timeout_s=settings.timeout_s or TIMEOUT_S,
        memory=memory_limit(settings.memory),
    )
