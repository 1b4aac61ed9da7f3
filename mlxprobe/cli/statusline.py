"""A status line at the foot of a terminal that belongs to another program: everything above scrolls as before."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlxprobe.cli.rank_lag import RankLag
    from mlxprobe.supervisor.watch import Watcher

SHOWN_S = 0.25
LEAST_ROWS = 5


class StatusLine:
    """Keep the last row of the terminal for ourselves, by its scroll region; do nothing outside of a terminal."""

    def __init__(self, *, wanted: bool = True) -> None:
        self._fd = sys.stderr.fileno() if wanted and _is_terminal(sys.stderr) else -1
        self._dim = "" if os.environ.get("NO_COLOR") else "\x1b[2m"
        self._size = (0, 0)
        self._shown_s = 0.0
        self._rank_lag: RankLag | None = None

    def show(self, watcher: Watcher) -> None:
        """Show where the program is, a few times a second."""
        if self._fd < 0 or time.monotonic() - self._shown_s < SHOWN_S:
            return
        self._shown_s = time.monotonic()
        try:
            columns, rows = os.get_terminal_size(self._fd)
            if os.tcgetpgrp(self._fd) != os.getpgrp():  # in the background the terminal is somebody else's
                return
        except OSError:  # the terminal is gone
            self._fd = -1
            return
        if (columns, rows) != self._size:
            self.leave()
            if rows < LEAST_ROWS:
                return
            self._size = columns, rows
            self._write(f"\x1bD\x1b[1A\x1b7\x1b[1;{rows - 1}r\x1b8")  # room for it; the cursor keeps its column
        text = status(watcher, self._ranks(watcher))[: columns - 1]
        self._write(f"\x1b7\x1b[{rows};1H\x1b[2K{self._dim}{text}\x1b[0m\x1b8")

    def _ranks(self, watcher: Watcher) -> str:
        """Say which rank keeps the others back."""
        last = max(log.process.job for log in watcher.processes.programs)
        programs = [log for log in watcher.processes.programs if log.process.job == last]
        if len(programs) < 2:
            return ""
        if self._rank_lag is None:
            from mlxprobe.cli.rank_lag import RankLag  # what it imports, the program's start does not wait for

            self._rank_lag = RankLag()
        return self._rank_lag.told(programs, time.monotonic() - watcher.child.started_s)

    def leave(self) -> None:
        """Give the last row back: before the end, a change of size, or a stop by Ctrl-Z."""
        if self._size != (0, 0) and self._fd >= 0:
            self._write(f"\x1b7\x1b[r\x1b[{self._size[1]};1H\x1b[2K\x1b8")
        self._size = 0, 0

    def _write(self, text: str) -> None:
        try:
            os.write(self._fd, text.encode())
        except OSError:
            self._fd = -1

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


def _is_terminal(stream: object) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)()) and os.environ.get("TERM", "dumb") != "dumb"


def status(watcher: Watcher, behind: str = "") -> str:
    """Put step, which rank is behind, step time, loss, memory and pending operations in one line."""
    log = watcher.log
    steps = [one.step for one in watcher.processes.programs]
    span = f"step {max(steps)}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"
    several = f"{span} in {len(steps)} {'ranks' if log.process.rank >= 0 else 'processes'}"
    parts = [several if len(steps) > 1 else f"step {log.step}" if log.begun else "before MLX is imported"]
    if behind:
        parts.append(behind)
    if log.steps:
        parts.append(f"{1e3 * log.steps[-1].step_s:.1f} ms a step")
    if log.losses:
        parts.append(f"loss {log.losses[-1].value:.4g}")
    if log.memory:
        parts.append(f"{log.memory[-1].active_bytes / 1e6:.0f} MB active")
    if watcher.tree.samples:
        parts.append(f"{watcher.tree.samples[-1].rss_bytes / 1e6:.0f} MB resident")
    known = [step.pending for step in log.steps if step.pending is not None]
    if known:
        parts.append(f"{known[-1]:,} operations pending")
    if watcher.silent_s > 1:
        parts.append(f"silent for {watcher.silent_s:.0f} s")
    return "mlxprobe: " + ", ".join(parts)
