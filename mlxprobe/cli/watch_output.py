"""What `mlxprobe watch` says of a program, while it runs and at its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlxprobe.cli.common import show, tell
from mlxprobe.schema.errors import ProbeError

if TYPE_CHECKING:
    from mlxprobe.protocol.facts.memory import MemoryNearlyGone
    from mlxprobe.runner.finding_filter import Selection
    from mlxprobe.runner.watch_session import Watch
    from mlxprobe.schema.observation import Sighting
    from mlxprobe.schema.record import Finding, ProgramRecord, Record
    from mlxprobe.supervisor.watch import Watcher

ENDED_BY = "; Ctrl-C, three times at most, ends it"
FIGURES = r"\d+ s( in \d+)?"  # that grow while the same lasts: seconds, the number of a collective
MUCH_LONGER = 10  # times, after which it is told again


class Report:
    """Where the report goes.

    What is told while the program runs is in the file at that moment, whole: a job that is killed leaves it. A report
    that comes `last` leaves stderr to the program until then, unless that file cannot be written.
    """

    def __init__(
        self,
        form: str,
        output: Path | None,
        chosen: Selection,
        before: Record | None = None,
        *,
        sheet: bool = False,
        every_s: float = float("inf"),
        last: bool = False,
    ) -> None:
        self._form = form
        self._output = output
        self._chosen = chosen
        self._before = before
        self._sheet = sheet
        self._every_s = every_s
        self._last = last
        self._unsaid: list[str] = []  # of what no record has
        self._began_s = self._kept_s = time.monotonic()
        self._said: set[object] = set()
        self._lasted_s: dict[str, float] = {}  # what was said of what lasts, and for how long it had

    def listen(self, running: Watch, say: Callable[[str], None] = tell, advice: str = ENDED_BY) -> None:
        """Tell at once what is known for certain of a program that runs on; of a silence with some `advice`."""

        def silent(watcher: Watcher) -> None:
            if not (words := standing_still(watcher)):
                return
            self._keep(running, watcher, "stalled")
            if self._is_news(words, watcher.silent_s) and not self._last:
                say(words + ("; it is ended" if watcher.ends_silence else advice))
                if len(watcher.processes.programs) > 1:
                    self._ranks(running.so_far(watcher, "stalled"))

        def short(one: Sighting[MemoryNearlyGone], watcher: Watcher) -> None:
            from mlxprobe.verdict.remarks import nearly_gone

            self._keep(running, watcher, "running")
            if not self._last:
                say(f"{nearly_gone(one.fact, one.step)}; it is left alone")

        def erred(found: Sequence[Finding], watcher: Watcher) -> None:
            from mlxprobe.reports.diagnosis import headline

            wanted = [one for one in self._chosen.apply(found)[0] if one.same not in self._said]
            self._said |= {one.same for one in wanted}
            if wanted:
                self._keep(running, watcher, "running")
            for one in wanted if not self._last else ():
                say(headline(one))

        running.silent, running.short, running.erred, running.parted = silent, short, erred, self._tell_wait
        running.failed = lambda error: self._say_once(fault(error), self._unsaid.append if self._last else say)

    def record(self, running: Watch, seen: Sequence[ProgramRecord], *, complete: bool = True) -> Record:
        """Put a program's rows into a record, each with the findings that count."""
        from mlxprobe.runner.finding_filter import selected
        from mlxprobe.schema.record_io import new_record

        rows = (selected(one, self._chosen) for one in seen)
        wall_s = time.monotonic() - self._began_s
        return new_record(running.environment, rows, complete=complete, wall_s=wall_s)

    def deliver(self, record: Record) -> None:
        """Write the report: into the file in its form; its text, or without a file its form, on stderr.

        stdout is the program's.
        """
        with self._written_last(record):
            self._show(record)

    @contextmanager
    def _written_last(self, record: Record) -> Iterator[None]:
        """Write the file, and fail for it only after the rest: what cannot be written is at least to be seen."""
        try:
            self._write(record)
        except ProbeError:
            yield
            raise
        else:
            yield

    def _show(self, record: Record) -> None:
        from mlxprobe.cli.display import shown
        from mlxprobe.reports import WATCH_FORMATS, diagnosis

        while self._unsaid:
            tell(self._unsaid.pop(0))
        if self._output is not None or self._form == "text":
            whole = diagnosis.renderable(record, self._before)
            told = diagnosis.sheets(record, self._before) if self._sheet else whole
            show(shown(told, stderr=True))
        else:
            show(WATCH_FORMATS[self._form](record))

    def _ranks(self, rows: Sequence[ProgramRecord]) -> None:
        """Tell of a hang which rank the others wait for, and where each stands."""
        from mlxprobe.cli.display import shown
        from mlxprobe.reports import ranks
        from mlxprobe.reports.diagnosis import headline

        between = {found.same: found for one in rows for found in one.findings if found.together}
        for found in self._chosen.apply(found for same, found in between.items() if same not in self._said)[0]:
            tell(headline(found))
        self._said |= set(between)
        for told in map(ranks.lines, ranks.groups(rows).values()):
            show(shown(ranks.RankTable(told), stderr=True))

    def _is_news(self, words: str, lasted_s: float) -> bool:
        """Check whether something that lasts has not been said so, or lasts much longer now than when it was."""
        same = re.sub(FIGURES, "", words)
        if lasted_s < MUCH_LONGER * self._lasted_s.get(same, 0.0):
            return False
        self._lasted_s[same] = lasted_s
        return True

    def _tell_wait(self, watcher: Watcher) -> None:
        """Say once of each wait that is as long as a silence whom it is for: others go on, and may well come to it."""
        from mlxprobe.cli.rank_lag import held_up

        if watcher.silent_s > watcher.limits.stall_s / 2:  # nobody moves
            return
        now_s = time.monotonic() - watcher.child.started_s
        programs = watcher.processes.programs
        for job in sorted({log.process.job for log in programs}):
            told = held_up([log for log in programs if log.process.job == job], now_s, watcher.limits.stall_s)
            if told and self._is_news(f"job {job}: {told}" if job else told, watcher.limits.stall_s):
                (self._unsaid.append if self._last else tell)(told)

    def renew(self, running: Watch, watcher: Watcher) -> None:
        """Write the file anew where that is due, of a program that runs."""
        if time.monotonic() - self._kept_s > self._every_s and watcher.processes.begun:
            self._keep(running, watcher, "running")

    def _keep(self, running: Watch, watcher: Watcher, ended: str) -> None:
        """Write what is known so far. A disk that is full is told of once: the program is not to be ended by it."""
        if self._output is None:
            return
        self._kept_s = time.monotonic()
        try:
            self._write(self.record(running, running.so_far(watcher, ended), complete=False))
        except ProbeError as error:
            self._last = False
            self._say_once(str(error))

    def _say_once(self, words: str, say: Callable[[str], None] = tell) -> None:
        if words not in self._said:
            self._said.add(words)
            say(words)

    def _write(self, record: Record) -> None:
        from mlxprobe.reports import WATCH_FORMATS
        from mlxprobe.schema.record_io import write

        if self._output is not None:
            write(self._output, WATCH_FORMATS[self._form](record).encode())


def fault(error: Exception) -> str:
    """Say where we have failed."""
    import traceback  # which no program's start waits for

    *_, last = traceback.extract_tb(error.__traceback__)
    what = traceback.format_exception_only(error)[-1].strip()
    return f"a fault of mlxprobe's own, at {last.filename}:{last.lineno}: {what}; the program goes on"


def standing_still(watcher: Watcher) -> str:
    """Say that a program is stuck, for it may never end; nothing where its silence is over."""
    from mlxprobe.schema.metrics import calling_frame, standing_frame

    silence = watcher.hang_detector.silence
    if silence is None:
        return ""
    frame = standing_frame(silence.stacks)
    where = f" at {frame.file}:{frame.line}" + (f" ({frame.code})" if frame.code else "") if frame else ""
    if caller := calling_frame(silence.stacks):
        where += f", called from {caller.file}:{caller.line}"
    return f"{silence.kind}: nothing has moved for {silence.silent_s:.0f} s{where}"
