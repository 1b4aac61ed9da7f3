"""`mlxprobe attach --agent`: the agent goes into a process that runs, and it is watched from then on."""

from __future__ import annotations

import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mlxprobe.cli.common import tell
from mlxprobe.settings.table import Settings

if TYPE_CHECKING:
    from mlxprobe.supervisor.watch import Watcher

COMES_WITHIN_S = 10.0


def watch_within(pid: int, settings: Settings, form: str, output: Path | None) -> int:
    """Watch a process until its end, or until Ctrl-C, which leaves it as it was; return 1 where an error was found."""
    from mlxprobe.cli.watch_output import Report
    from mlxprobe.runner.finding_filter import Selection
    from mlxprobe.runner.watch_session import Watch
    from mlxprobe.schema.enums import Outcome, Severity
    from mlxprobe.schema.errors import ProbeError
    from mlxprobe.schema.program import Program
    from mlxprobe.supervisor.inject import Carried
    from mlxprobe.supervisor.start import hosted

    with hosted(Program(name=f"process {pid}"), pid, ()) as started:
        carried = Carried(pid, started.child.folder)
        running = Watch(started.program, settings, start=lambda _: nullcontext(started))
        report = Report(form, output, Selection())
        report.listen(running, advice="")
        patience = Patience()
        running.shown = patience.shown

        def leave(*_: object) -> None:
            if patience.asked:
                started.child.leave()  # it does not come to it
            else:
                patience.asked = True
                carried.go()

        before = signal.signal(signal.SIGINT, leave)
        try:
            carried.come(os.getpid())
            seen = running.run()
        finally:
            signal.signal(signal.SIGINT, before)
        if not any(one.begun for one in running.seen):
            carried.stay_out()
            raise ProbeError(
                f"the agent did not come to process {pid}, whose main thread has left no call since; "
                f"`mlxprobe attach {pid}` without --agent says where it stands"
            )
        report.deliver(report.record(running, seen))
        errs = any(found.severity is Severity.ERROR for one in seen for found in one.findings)
        return int(errs or any(one.outcome is Outcome.HANG for one in seen))


class Patience:
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
