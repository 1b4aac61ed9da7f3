"""A command that works for us alone, such as an installer: it ends when we do, with all that it started."""

from __future__ import annotations

import contextlib
import math
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from mlxprobe.supervisor import reaper_client
from mlxprobe.supervisor.scratch import Scratch
from mlxprobe.supervisor.spawn_request import order

VARIABLE = "MLXPROBE_ERRAND"  # names, where orphans cannot be adopted, what is ours
END_WITHIN_S = 8.0


def run(words: Sequence[str], within_s: float, descriptors: Sequence[int] = ()) -> tuple[int, str]:
    """Run a command under a reaper of its own, and return its exit code and what it wrote to stderr.

    Args:
        words: the command.
        within_s: after which it is ended.
        descriptors: those that it inherits.

    Raises:
        OSError: it cannot be run.
        TimeoutError: it took too long.
    """
    with Scratch() as folder, _Errand(words, folder, descriptors) as errand:
        return errand.wait(within_s)


class _Errand:
    def __init__(self, words: Sequence[str], folder: Path, descriptors: Sequence[int]) -> None:
        self._reads, writes = os.pipe()
        self._told = self._heard = b""
        environment = [f"{name}={value}" for name, value in {**os.environ, VARIABLE: str(folder)}.items()]
        try:
            self._reaper, self._control = reaper_client.call(
                descriptors=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=writes,
                start_new_session=True,
            )
        except OSError:
            os.close(self._reads)
            raise
        finally:
            os.close(writes)
        with contextlib.suppress(OSError):  # a reaper that is gone says nothing, which is noticed
            self._control.sendall(order((str(folder), "own"), words, environment, (), [str(fd) for fd in descriptors]))

    def wait(self, within_s: float) -> tuple[int, str]:
        until_s = time.monotonic() + within_s
        while (code := self._exit_code()) is None:
            self._pump(until_s)
        return code, self._told.decode(errors="replace")

    def _exit_code(self) -> int | None:
        """Return the exit code once it is known and all is read that came before it."""
        for line in self._heard.split(b"\n")[:-1]:
            word, _, rest = line.decode().partition(" ")
            if word == "unstarted":
                raise OSError(0, rest)
            if word == "exit":
                self._read(block=False)
                return int(rest)
        return None

    def _pump(self, until_s: float) -> None:
        """Wait for what comes; raise TimeoutError at the time when nothing is waited for any more."""
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        ears = select.poll()
        ears.register(self._control, select.POLLIN)
        if self._reads >= 0:
            ears.register(self._reads, select.POLLIN)
        ready = {fd for fd, _ in ears.poll(math.ceil(1000 * left_s))}
        if self._reads in ready:
            self._read(block=True)
        if self._control.fileno() in ready:
            heard = self._control.recv(65536)
            if not heard:
                raise OSError(0, "its reaper was killed")
            self._heard += heard

    def _read(self, *, block: bool) -> None:
        """Read one block of what was written, or all that is there."""
        os.set_blocking(self._reads, block) if self._reads >= 0 else None
        with contextlib.suppress(BlockingIOError):
            while self._reads >= 0:
                more = os.read(self._reads, 65536)
                self._told += more
                if not more:
                    os.close(self._reads)
                    self._reads = -1
                if block:
                    return

    def __enter__(self) -> _Errand:
        return self

    def __exit__(self, *_: object) -> None:
        """End what is left of it, and the reaper."""
        with contextlib.suppress(OSError, TimeoutError):
            self._control.sendall(b"kill\n")
            until_s = time.monotonic() + END_WITHIN_S
            while not any(line.startswith((b"empty", b"left")) for line in self._heard.split(b"\n")[:-1]):
                self._pump(until_s)
            self._control.sendall(b"done\n")
        self._control.close()
        if self._reads >= 0:
            os.close(self._reads)
        try:
            self._reaper.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._reaper.kill()
            self._reaper.wait()
