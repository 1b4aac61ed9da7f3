"""`mlxprobe beside`: what `mlxprobe.enable` starts. It watches the process that asked for it, and ends with it."""

from __future__ import annotations

import contextlib
import linecache
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click
import psutil

from mlxprobe.agent.wire.json_lines import Line
from mlxprobe.cli.common import in_background, tell
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.program import Program
from mlxprobe.settings.table import Settings, cache_folder, resolve
from mlxprobe.supervisor.start import Started, hosted

if TYPE_CHECKING:
    from mlxprobe.runner.watch_session import Watch
    from mlxprobe.schema.record import ProgramRecord
    from mlxprobe.supervisor.watch import Watcher

HEARD_WITHIN_S = 2.0  # else what is said goes to stderr: the interpreter is stuck
UNCLEAR_S = 120.0  # for which a silence that is no proved hang is none of anybody's business
LOOK_S = 0.5


@click.command(hidden=True)
@click.argument("pid", type=int)
@click.argument("control", type=int)
@click.argument("wake", type=int)
def beside(pid: int, control: int, wake: int) -> None:
    """Watch the process PID, which speaks on the descriptors CONTROL and WAKE."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # they are the process's: we end with it
    os.set_blocking(wake, False)
    SidecarServer(pid, Line(socket.socket(fileno=control)), wake).run()


class SidecarServer:
    """Serve one process, one stay of the agent after the other, until it is gone."""

    def __init__(self, pid: int, line: Line, wake: int) -> None:
        self._pid = pid
        self._process = psutil.Process(pid)
        self._line = line
        self._wake = wake
        self._orders: list[dict[str, Any]] = []
        self._said: dict[int, tuple[float, str]] = {}  # what nobody has heard so far, and until when they should
        self._number = 0
        self._shown: dict[str, Any] = {}  # how the report is to be shown by who asked, where it is

    def run(self) -> None:
        """Serve until nobody is there any more."""
        from mlxprobe.supervisor.external_process import lives

        ear = select.poll()
        ear.register(self._line.fileno(), select.POLLIN)
        while not self._line.closed and lives(self._process):
            if ear.poll(1000 * LOOK_S):
                self._hear()
            for order in self._taken():
                if "prepare" in order:
                    in_background(prepare)
                if "begin" in order:
                    self._serve(order)

    def _hear(self) -> None:
        """Take in what was said; what is only a word of thanks is done with."""
        for message in self._line.hear():
            if "heard" in message:
                self._said.pop(message["heard"], None)
            else:
                self._orders.append(message)

    def _taken(self) -> list[dict[str, Any]]:
        orders, self._orders = self._orders, []
        return orders

    def _serve(self, order: dict[str, Any]) -> None:
        """Watch for one stay, and give an account of it."""
        try:
            os.chdir(order["cwd"])
            settings = resolve({"stall_s": order["stall_s"] and f"{order['stall_s']}s"})
            with hosted(Program(name=order["begin"]), self._pid, (self._line.fileno(), self._wake)) as running:
                self._line.send(folder=str(running.child.folder), pid=os.getpid())
                self._watch(running, settings, order)
        except (OSError, ProbeError) as error:
            self._line.send(failed=str(error))

    def _watch(self, started: Started, settings: Settings, order: dict[str, Any]) -> None:
        from mlxprobe.cli.watch_output import Report
        from mlxprobe.runner.finding_filter import Selection
        from mlxprobe.runner.watch_session import Watch
        from mlxprobe.schema.record_io import encode

        remember(order.get("sources", {}))
        running = Watch(started.program, settings, start=lambda _: nullcontext(started))
        report = Report("text", None, Selection())
        report.listen(running, self._say, advice="")
        running.silent = only_clear(running.silent)
        running.shown = lambda watcher: self._polled(running, report, watcher)
        seen = running.run()
        record = report.record(running, seen)
        if order["report"] == "always" or (order["report"] and worth_telling(seen, order.get("worker", False))):
            report.deliver(record)
        told = encode(record).decode()
        for file, name in self._shown.get("names", {}).items():
            told = told.replace(file, name)
        wanted = self._shown.get("forms") == "always" or (self._shown and worth_telling(seen, worker=False))
        self._line.send(record=told, forms=forms(told) if wanted else {})

    def _polled(self, running: Watch, report: Any, watcher: Watcher) -> None:
        self._speak_up()
        if select.select([self._line.fileno()], [], [], 0)[0]:
            self._hear()
        calls = self._calls()
        for order in self._taken():
            calls |= "report" in order
            if "end" in order or self._line.closed:
                self._shown = order.get("end") or {}
                watcher.child.leave()
            remember(order.get("sources", {}))
        if calls:
            report.deliver(report.record(running, running.so_far(watcher, "running"), complete=False))

    def _calls(self) -> bool:
        """Check whether the process was sent a signal that asks for a report."""
        try:
            return int(signal.SIGUSR2) in os.read(self._wake, 1024)
        except OSError:
            return False

    def _say(self, text: str, level: int = logging.WARNING) -> None:
        """Say something to the process; where it does not hear, `_speak_up` does."""
        self._number += 1
        self._said[self._number] = time.monotonic() + HEARD_WITHIN_S, text
        self._line.send(say=text, level=level, n=self._number)

    def _speak_up(self) -> None:
        """Tell on stderr what the process should have heard."""
        now_s = time.monotonic()
        for number, (until_s, text) in list(self._said.items()):
            if now_s > until_s:
                del self._said[number]
                tell(text)


def only_clear(silent: Callable[[Watcher], None]) -> Callable[[Watcher], None]:
    """Leave out silences that may be anything, until they are long."""
    from mlxprobe.schema.enums import HangKind

    def told(watcher: Watcher) -> None:
        silence = watcher.hang_detector.silence
        if silence and (silence.kind in (HangKind.DEADLOCK, HangKind.STALL) or silence.silent_s > UNCLEAR_S):
            silent(watcher)

    return told


def worth_telling(seen: Sequence[ProgramRecord], worker: bool) -> bool:
    """Check whether anything was found, or trained; a `worker` that is gone without a word its parent has ended."""
    trained = any(one.steps and (one.finished or not worker) for one in seen)
    return trained or any(one.findings for one in seen)


def prepare() -> None:
    """Import what a stay needs, and what shows it, while nobody waits for it; have the charts' library made."""
    import mlxprobe.cli.watch_output
    import mlxprobe.reports.diagnosis
    import mlxprobe.reports.html
    import mlxprobe.runner.watch_session  # noqa: F401
    from mlxprobe.cli import report_inputs

    with contextlib.suppress(ProbeError):
        report_inputs.script(cache_folder())


def forms(told: str) -> dict[str, str]:
    """Return a report as text and, where its libraries are installed, as the HTML that the file has."""
    from mlxprobe.cli import report_inputs
    from mlxprobe.reports import diagnosis, html
    from mlxprobe.schema.record_io import decode

    record = decode(told.encode(), "what was seen")
    made = {"text/plain": diagnosis.render(record)}
    with contextlib.suppress(UsageError):
        made["text/html"] = html.render(record, script=report_inputs.script(cache_folder()))
    return made


def remember(sources: Mapping[str, str]) -> None:
    """Keep the text of what has no file, for whoever asks for its lines."""
    for name, text in sources.items():
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
