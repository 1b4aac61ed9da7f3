"""`mlxprobe attach`: a process that runs or hangs now."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import click
import psutil

from mlxprobe.cli.common import JUDGED_NOT, deliver, leave, with_report, with_settings
from mlxprobe.schema.enums import Live
from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.table import resolve

FORMS = ("text", "json", "markdown")
CODES = {Live.ALIVE: 0, Live.IDLE: 0, Live.DEADLOCK: 1, Live.STALL: 1, Live.UNJUDGED: JUDGED_NOT}


@click.command()
@click.argument("pid", type=click.IntRange(1))
@click.option("--agent", is_flag=True, help="Go into it, and on as `watch` does; Python 3.14 and later. Ctrl-C leaves.")
@with_report(FORMS)
@with_settings(stall_s="1.2s; busy is stuck only where the evidence says so")
def attach(pid: int, agent: bool, form: str, output: Path | None, **flags: Any) -> None:
    """Say of a process that runs or hangs now what it does, and where.

    Looks at PID and all below it for two or three seconds, from outside: stacks, threads, memory, connections. With
    --stall-limit it looks for as long, and judges as `watch` does with that limit. Exit code 0: alive or idle; 1:
    deadlock or stall; 2: that could not be judged.
    """
    from mlxprobe.runner.attaching import attach as look_at
    from mlxprobe.schema.record_io import check_writable
    from mlxprobe.supervisor.process_tree_snapshot import has_ended

    settings = resolve(flags)
    check_writable(output)
    if not psutil.pid_exists(pid):
        raise UsageError(f"{pid}: there is no such process; `ps -e` lists all")
    if has_ended(pid):
        raise UsageError(f"{pid}: this process has ended, and its parent has not asked how")
    if agent:
        from mlxprobe.cli.attach_agent import watch_within

        leave(watch_within(pid, settings, form, output))
    threading.Thread(target=import_reports, daemon=True).start()  # a look is mostly waiting
    seen = look_at(pid, settings.stall_s)
    from mlxprobe.cli.display import shown
    from mlxprobe.reports import live

    deliver(
        form, output, lambda name: live.FORMATS[name](seen), lambda: click.echo(shown(live.renderable(seen)), nl=False)
    )
    leave(CODES[seen.state])


def import_reports() -> None:
    """Import what only tells: it takes as long as half a look."""
    import mlxprobe.cli.display
    import mlxprobe.reports.live
    import mlxprobe.verdict.errors  # noqa: F401
