"""Our own standard streams, where they are closed, full, or read by a process that has gone."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from contextlib import suppress

OF_STREAMS = {errno.EBADF, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.ENXIO, errno.EPIPE}


class Closed(io.TextIOBase):
    """The stream in place of one that was closed before we began; Python has None there."""

    encoding = "utf-8"
    _lost = False

    def write(self, text: str, /) -> int:
        """Fail as the system's call does."""
        self._lost = True
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def flush(self) -> None:
        """Fail where something was to be written."""
        if self._lost:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def complete() -> None:
    """Put a stream where one is closed; no file of ours gets its number, and programs that we start find it closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or Closed()
    sys.stderr = sys.stderr or Closed()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # an encoding without our signs, such as latin-1


def is_of_stdout(error: OSError) -> bool:
    """Check whether stdout takes nothing, and if so give up what was to be written; other files have names."""
    if error.filename is not None or error.errno not in OF_STREAMS:
        return False
    _give_up(1)
    return True


def end() -> None:
    """Leave nothing to Python's end that may fail: an unwritten rest of a stream, or a signal."""
    for ends in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if callable(signal.getsignal(ends)):  # neither ignored nor the system's own end
            signal.signal(ends, lambda came, _: os._exit(128 + came))
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            _give_up(number)


def _give_up(number: int) -> None:
    """Send the rest of a stream nowhere."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    if number == 1 and isinstance(sys.stdout, Closed):
        sys.stdout = io.StringIO()
    if number == 2 and isinstance(sys.stderr, Closed):
        sys.stderr = io.StringIO()
