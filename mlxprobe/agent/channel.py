"""Events out, one JSON object a line, on a private descriptor that the program does not know of."""

from __future__ import annotations

import json
import os
import time
from typing import Any

ATOMIC_BYTES = 4096  # what POSIX promises to write to a pipe in one piece (Linux's PIPE_BUF)

FD_VARIABLE = "MLXPROBE_EVENTS_FD"
FOLDER_VARIABLE = "MLXPROBE_FOLDER"


class Channel:
    """Write events without ever blocking or failing the program: what does not fit at once is dropped.

    A line of at most `ATOMIC_BYTES` is one system call, so that threads and forked children need no lock;
    a lock could be held by another thread at the moment of a fork, and we would cause the hang we look for.
    """

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
        self._fd = fd
        self._owner = os.getpid()
        self.sent_s = time.monotonic()

    def send(self, event: str, **values: Any) -> None:
        """Send one event with the time, and with the process when it is not the one that was started."""
        now = time.monotonic()
        values.update(e=event, t=now)
        if os.getpid() != self._owner:
            values["pid"] = os.getpid()
        line = json.dumps(values, separators=(",", ":")).encode() + b"\n"
        if len(line) > ATOMIC_BYTES:
            line = json.dumps({"e": "dropped", "t": now, "event": event}).encode() + b"\n"
        try:
            os.write(self._fd, line)
        except OSError:  # the pipe is full, or the supervisor is gone: never the program's problem
            return
        if event != "memory":
            self.sent_s = now


def open_channel() -> Channel | None:
    """Take over the descriptor that the supervisor passed; None outside a supervised run."""
    fd = os.environ.pop(FD_VARIABLE, "")
    return Channel(int(fd)) if fd else None
