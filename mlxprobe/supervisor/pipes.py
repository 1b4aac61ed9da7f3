"""The reading end of a child's pipe: emptied at every poll, never waited for; and the ends of files."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

PIPE_BYTES = 1 << 20  # room for what comes between two polls; also the most that is read in one
CHUNK_BYTES = 1 << 16
OWN_STDERR = "/dev/fd/2"
TAIL_BYTES = 16_384
_SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 0)  # Linux only


class ReadEnd:
    """Read what is there. Who writes faster than we look is held back by the full pipe, and costs us no more."""

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._fd, self.write_fd = os.pipe()
        else:  # a name that any process below can open; the writing end of our own keeps it from ending
            os.mkfifo(path, 0o600)
            self._fd, self.write_fd = os.open(path, os.O_RDWR), -1
        self.ended = False
        os.set_blocking(self._fd, False)
        try:
            fcntl.fcntl(self._fd, _SET_SIZE, PIPE_BYTES)
        except OSError:  # macOS, or too many large pipes of one user: the smaller pipe does too
            pass

    def read(self) -> bytes:
        """Return what has come in; `ended` is set once every writer has closed the pipe."""
        chunks: list[bytes] = []
        while not self.ended and len(chunks) * CHUNK_BYTES < PIPE_BYTES:
            try:
                chunks.append(os.read(self._fd, CHUNK_BYTES))
            except BlockingIOError:
                break
            self.ended = not chunks[-1]
        return b"".join(chunks)

    def close_writing(self) -> None:
        """Close our copy of the writing end, which would keep the pipe from ending."""
        if self.write_fd >= 0:
            os.close(self.write_fd)

    def close(self) -> None:
        """Close the reading end."""
        os.close(self._fd)


def written(descriptor: str) -> int:
    """Return the size of the file behind a descriptor's name; -1 for a terminal, a pipe or nothing."""
    try:
        found = os.stat(descriptor)
    except OSError:
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def tail_of(descriptor: str, after: int = 0) -> str:
    """Return the end of the file behind a descriptor's name, past its first `after` bytes.

    Empty where that is no file, or may not be read, as where macOS hands out what was opened for writing.
    """
    if (size := written(descriptor)) <= after:
        return ""
    try:
        with open(descriptor, "rb") as file:
            file.seek(max(after, size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
