"""A process that asked to be watched, and is none of ours: it is never ended, signalled or waited for."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from mlxprobe.agent.wire.constants import EVENTS_FILE
from mlxprobe.supervisor.pipes import ReadEnd
from mlxprobe.supervisor.target import Target

LOOK_S = 0.2  # from one look whether it lives to the next


class ExternalProcess(Target):
    """Read the events of a process that runs already; `ears` are descriptors that wake the loop."""

    def __init__(self, pid: int, folder: Path, ears: Sequence[int]) -> None:
        super().__init__(folder, ReadEnd(folder / EVENTS_FILE))
        self.pid = pid
        self._process = psutil.Process(pid)
        self._looked_s = 0.0
        self._over = False
        self._ear = select.poll()
        for fd in ears:
            self._ear.register(fd, select.POLLIN)

    @property
    def over(self) -> bool:
        return self._over

    def leave(self) -> None:
        self._over, self.exited_s = True, time.monotonic()

    def pump(self, timeout_s: float) -> None:
        self._ear.poll(1000 * timeout_s)
        self._lines += self._events.read()
        if not self._over and time.monotonic() - self._looked_s > LOOK_S:
            self._looked_s = time.monotonic()
            if not lives(self._process):
                self.leave()

    def end(self, *, gently: bool) -> None:
        self.pump(0)

    def close(self) -> None:
        """Close the pipe."""
        self._events.close()


def lives(process: psutil.Process) -> bool:
    """Check whether a process runs; one whose main thread alone has ended does."""
    try:
        return bool(process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1))
    except psutil.Error:
        return False
