"""What a person sees on stderr while programs run."""

from __future__ import annotations

import io
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.text import Text

from mlxprobe.reports.console import SafeConsole
from mlxprobe.reports.phrases import observed, repeated, trimmed
from mlxprobe.schema.record import ProgramRecord

if TYPE_CHECKING:
    from rich.table import Table


def console(*, stderr: bool = False) -> Console:
    """Return a console for results (or, on stderr, progress); NO_COLOR and FORCE_COLOR are rich's to honour."""
    stream = sys.stderr if stderr else sys.stdout
    return SafeConsole(file=stream, highlight=False, width=None if stream.isatty() else 80)


def shown(what: RenderableType, *, stderr: bool = False) -> str:
    """Return what a console makes of something, without spaces at the ends of lines."""
    here = console(stderr=stderr)
    here.file = _Unwritten(here.file)
    with here.capture() as capture:
        here.print(what, crop=False)  # a long place goes on beyond the edge
    return trimmed(capture.get())


class _Unwritten(io.StringIO):
    """A stream of the same kind that takes everything: rich writes to what it captures from, full or gone."""

    def __init__(self, like: IO[str]) -> None:
        super().__init__()
        self.isatty = like.isatty  # type: ignore[method-assign]
        self._encoding = getattr(like, "encoding", "utf-8")

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(self._encoding)


class Display:
    """A live line per running program in a terminal; a line per finished one elsewhere."""

    def __init__(self, total: int = 0) -> None:
        from rich.live import Live  # a report alone, as of `watch`, needs none

        self._of_total = f" of {total}" if total else ""
        self._began_s = time.monotonic()
        self._console = console(stderr=True)
        self._is_live = sys.stderr.isatty()  # not rich's word for it: FORCE_COLOR in a CI's log asks for colours alone
        self._running: dict[str, str] = {}
        self._done = 0
        self._lock = threading.Lock()
        self._live = Live(console=self._console, get_renderable=self._lines, refresh_per_second=8, transient=True)

    def started(self, name: str) -> None:
        """Show a program."""
        with self._lock:
            self._running[name] = "starting"

    def moved(self, name: str, what: str) -> None:
        """Show what a program does."""
        self._running[name] = what

    def ended(self, name: str, row: ProgramRecord) -> None:
        """Take a program away; outside a terminal, tell its outcome instead."""
        with self._lock:
            self._running.pop(name, None)
            self._done += 1
        if not self._is_live:
            mark = "ok  " if row.as_expected else "FAIL"
            where = row.host and f"on {row.host}"
            self.say(f"{mark} {name}: {', '.join(filter(None, [observed(row), repeated(row), where]))}")

    def say(self, line: str) -> None:
        """Print a line above what is live."""
        with suppress(OSError):  # a stderr that takes nothing ends no run
            self._console.print(line, soft_wrap=True)

    def _lines(self) -> Table:
        from rich.table import Table

        grid = Table.grid(padding=(0, 1))
        with self._lock:
            for name, what in self._running.items():
                grid.add_row(Text("…", style="cyan"), Text(name), Text(what, style="dim"))
            grid.add_row("", Text(f"{self._done}{self._of_total} done, {self.passed_s:.0f} s", style="dim"), "")
        return grid

    @property
    def passed_s(self) -> float:
        """How long it has been shown."""
        return time.monotonic() - self._began_s

    def __enter__(self) -> Display:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:
            self._live.stop()
