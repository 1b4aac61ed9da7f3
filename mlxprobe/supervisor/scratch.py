"""Temporary folders of ours: each is locked by the processes that use it, and removed once none of them lives.

A lock ends with its processes, however they end, and no later process can be taken for them, as with process numbers.
The name holds the user and the host: other users' folders, and those of other hosts on a shared disk, are left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
import threading
import zlib
from pathlib import Path

from mlxprobe.schema.errors import ProbeError

ATTEMPTS = 10
_once = threading.Lock()


def prefix() -> str:
    """Return the beginning of the names of this user's folders on this host."""
    return f"mlxprobe-{os.geteuid()}-{zlib.crc32(socket.gethostname().encode()):08x}-"


class Scratch:
    """A temporary folder of this user's own, locked until it is closed.

    Raises:
        ProbeError: no folder can be made.
    """

    def __init__(self) -> None:
        sweep_once()
        try:
            self._made, self._lock = _locked()
        except OSError as error:
            raise ProbeError(f"no temporary folder can be made: {error}") from error
        self.path = Path(self._made.name)

    def close(self) -> None:
        """Remove it."""
        self._made.cleanup()
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


def _locked() -> tuple[tempfile.TemporaryDirectory[str], int]:
    """Make a folder and lock it; another process may take it for a dead one's between the two, then make another."""
    for _ in range(ATTEMPTS):
        made = tempfile.TemporaryDirectory(prefix=prefix(), ignore_cleanup_errors=True)
        lock = _opened(made.name)
        if lock is None:
            continue
        with contextlib.suppress(OSError):  # a file system without locks: `sweep` gets none there, and removes nothing
            fcntl.flock(lock, fcntl.LOCK_SH)
        if _is_at(lock, made.name):
            return made, lock
        os.close(lock)
    raise OSError("another process removes every folder")


def sweep_once() -> None:
    """Remove the folders whose owners were killed; a second call in this process does nothing."""
    if _once.acquire(blocking=False):  # and never released
        sweep()


def sweep() -> None:
    """Remove the folders whose owners were killed."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(prefix()):
                _remove_idle(entry.path)


def _remove_idle(folder: str) -> None:
    lock = _opened(folder)
    if lock is None:
        return
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(lock, folder):
                _remove(folder)
    except OSError:  # its owner lives, or the file system has no locks
        pass
    finally:
        os.close(lock)


def _opened(folder: str) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None


def _is_at(fd: int, folder: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(folder))
    except OSError:
        return False


def _remove(folder: str) -> None:
    """Remove a folder, and the folders in it that a program has locked itself out of."""
    for place, names, _ in os.walk(folder):
        for name in names:
            inner = os.path.join(place, name)
            if not os.path.islink(inner):
                with contextlib.suppress(OSError):
                    os.chmod(inner, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
