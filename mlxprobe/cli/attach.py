"""`mlxprobe attach`: a process that runs or hangs now."""

from __future__ import annotations

import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import psutil

from mlxprobe.cli.common import JUDGED_NOT, deliver, in_background, leave, tell, with_report, with_settings
from mlxprobe.schema.enums import Live
from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.table import Settings, resolve

if TYPE_CHECKING:
    from mlxprobe.schema.live import Attached
    from mlxprobe.supervisor.watch import Watcher

COMES_WITHIN_S = 10.0
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
    from mlxprobe.schema.record_io import check_writable
    from mlxprobe.supervisor.process_snapshot import has_ended

    settings = resolve(flags)
    check_writable(output)
    if not _exists(pid):
        raise UsageError(f"{pid}: there is no such process; `ps -e` lists all")
    if has_ended(pid):
        raise UsageError(f"{pid}: this process has ended, and its parent has not asked how")
    if agent:
        leave(watch_within(pid, settings, form, output))
    in_background(import_reports)  # a look is mostly waiting
    seen = attached(pid, settings.stall_s)
    from mlxprobe.reports import live

    deliver(form, output, lambda name: live.FORMATS[name](seen), show=lambda: live.renderable(seen))
    leave(CODES[seen.state])


def _exists(pid: int) -> bool:
    try:
        return bool(psutil.pid_exists(pid))
    except OverflowError:  # a number that no system gives a process
        return False


def attached(pid: int, limit_s: float | None = None) -> Attached:
    """Sample a running process and all below it (see `Attachment`), and judge what was seen."""
    import mlxprobe
    from mlxprobe.schema.live import LIVE_SCHEMA_VERSION, Attached
    from mlxprobe.schema.record_io import now
    from mlxprobe.supervisor.attach import Attachment

    looked = Attachment(pid, limit_s).look()
    from mlxprobe.verdict.errors import in_log  # imported in the background meanwhile
    from mlxprobe.verdict.live import judge, standing_threads
    from mlxprobe.verdict.mlx_wait_state import standing, upstream

    state, reason = judge(looked)
    return Attached(
        live_schema_version=LIVE_SCHEMA_VERSION,
        mlxprobe=mlxprobe.__version__,
        time=now(),
        pid=looked.pid,
        state=state,
        reason=reason,
        looked=looked,
        standing=standing(looked, standing_threads(looked)),
        upstream=(*upstream(looked, state), *in_log(looked)),
    )


def import_reports() -> None:
    """Import what only tells: it takes as long as half a look."""
    import mlxprobe.cli.display
    import mlxprobe.reports.live
    import mlxprobe.verdict.errors  # noqa: F401


def watch_within(pid: int, settings: Settings, form: str, output: Path | None) -> int:
    """Watch a process until its end, or until Ctrl-C, which leaves it as it was; return 1 where an error was found."""
    from mlxprobe.cli.watch_output import Report
    from mlxprobe.runner.finding_filter import Selection
    from mlxprobe.runner.watch_session import Watch
    from mlxprobe.schema.enums import Outcome, Severity
    from mlxprobe.schema.errors import ProbeError
    from mlxprobe.schema.program import Program
    from mlxprobe.supervisor.inject import InjectedAgent
    from mlxprobe.supervisor.start import hosted

    with hosted(Program(name=f"process {pid}"), pid, ()) as started:
        injected = InjectedAgent(pid, started.child.folder)
        running = Watch(started.program, settings, start=lambda _: nullcontext(started))
        report = Report(form, output, Selection())
        report.listen(running, advice="")
        arrival = AgentArrival()
        running.shown = arrival.shown

        def leave(*_: object) -> None:
            if arrival.asked:
                started.child.leave()  # it does not come to it
            else:
                arrival.asked = True
                injected.go()

        before = signal.signal(signal.SIGINT, leave)
        try:
            injected.come(os.getpid())
            seen = running.run()
        finally:
            signal.signal(signal.SIGINT, before)
        if not any(one.begun for one in running.seen):
            injected.stay_out()
            raise ProbeError(
                f"the agent did not come to process {pid}, whose main thread has left no call since; "
                f"`mlxprobe attach {pid}` without --agent shows its stack"
            )
        report.deliver(report.record(running, seen))
        errs = any(found.severity is Severity.ERROR for one in seen for found in one.findings)
        return int(errs or any(one.outcome is Outcome.HANG for one in seen))


class AgentArrival:
    """Say once that the agent has not come; wait for it to leave, where it was `asked` to, unless it never came."""

    def __init__(self) -> None:
        self.asked = False
        self._polls = 0  # since then: it may have come just before, and nobody has read that yet
        self._until_s = time.monotonic() + COMES_WITHIN_S

    def shown(self, watcher: Watcher) -> None:
        """Look whether it has come, and is still there."""
        came = watcher.processes.begun
        self._polls += self.asked
        if watcher.log.finished or (self._polls > 1 and not came):
            watcher.child.leave()
        if not came and time.monotonic() > self._until_s:
            self._until_s = float("inf")
            tell("the agent has not come so far: it comes once the main thread leaves the call that it is in")
