"""Events out, one JSON object a line, on a private descriptor that the program does not know of."""

from __future__ import annotations

import fcntl
import os
import select
import signal
from _signal import pthread_sigmask  # type: ignore[import-not-found] # of C: a handler cannot come before it is called
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.wire import bound, encoding
from mlxprobe.agent.wire.constants import FD_VARIABLE
from mlxprobe.protocol.fact import Fact

ROOM_WITHIN_S = 1.0
HIGH_FD = 1000
_handler = signal.getsignal
_poll = select.poll
_take = getattr(signal, "sigtimedwait", None)
FREQUENT = {"tick", "steps", "memory"}  # one is like the next, or comes again: none is worth a wait
MOVES = {"tick", "steps", "fact"}  # what makes a fork a process of its own
OF_FORKS = ("Fork", "Forked")  # types of what a fork says that has not moved


class Channel:
    """Write events without failing the program, or stopping it: what finds no room in the pipe is dropped.

    A line is one system call, so that threads and forked children need no lock; a lock could be held by another
    thread at the moment of a fork, and we would cause the hang we look for.

    Every line has a `tag`, the process's number; the one that the supervisor has started itself has none. A fork speaks
    in its parent's name until it moves; then `settles` is called, and it has a tag of its own.
    """

    def __init__(self, fd: int, tag: int = 0) -> None:
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
        self._fd = fd
        self._pipe = identity(fd)
        self._owner = bound.getpid()
        self.tag = tag
        self.settles: Callable[[], None] = lambda: None
        self.writes = 0  # that were begun
        self.sent_s = bound.monotonic()

    def send(self, event: str, *, at: float | None = None, patient: bool | None = None, **values: Any) -> bool:
        """Send one event with its time (now) and tag; a fork that has not moved has little to say.

        Return whether it left. One that is `patient`, as all are that are not frequent, waits a while for room.
        """
        now = bound.monotonic()
        if (pid := bound.getpid()) != self._owner and not (event == "ready" or values.get("type") in OF_FORKS):
            if event not in MOVES:
                return False
            self._owner = self.tag = pid
            self.settles()
        values.update(e=event, t=now if at is None else at)
        if self.tag:
            values["p"] = self.tag
        try:
            sent = self._write(encoding.line(values), patient=event not in FREQUENT if patient is None else patient)
        except (
            Exception
        ) as error:  # the supervisor is gone, the program closed our descriptor: not the program's problem
            let_through(error)
            return False
        if event != "memory":
            self.sent_s = now
        return sent

    def tell(self, fact: Fact, place: dict[str, Any], *, step: int = 0, count: int = 1, event: str = "fact") -> bool:
        """Send a fact; `place` has its file, line, source and caller. Return whether it left.

        An event `seen` is no progress of the program.
        """
        kind = type(fact).__name__
        return self.send(event, type=kind, fields=fact.as_given(), step=step, count=count, **place)

    def close(self) -> None:
        """Send nothing any more."""
        fd, self._fd = self._fd, -1
        bound.close(fd)

    def _write(self, line: bytes, *, patient: bool) -> bool:
        if identity(self._fd) != self._pipe:  # a program that closes every descriptor gets the number for its own file
            return False
        deadline = bound.monotonic() + ROOM_WITHIN_S
        while line:
            try:
                line = line[self._written(line) :]
            except BlockingIOError:
                self.writes -= 1
                left_s = deadline - bound.monotonic()
                if not patient or left_s <= 0:
                    return False
                _wait_for_room(self._fd, left_s)
        return True

    def _written(self, line: bytes) -> int:
        """Write; where SIGPIPE kills the program, and nothing reads any more, that signal is taken back."""
        if _handler(signal.SIGPIPE) is not signal.SIG_DFL:
            self.writes += 1
            return bound.write(self._fd, line)
        blocked = pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
            self.writes += 1
            return bound.write(self._fd, line)
        except BrokenPipeError:
            if _take is not None:
                _take({signal.SIGPIPE}, 0)
            raise
        finally:
            pthread_sigmask(signal.SIG_SETMASK, blocked)


def identity(fd: int) -> tuple[int, int]:
    """Tell one open file from another, whatever their numbers."""
    status = bound.fstat(fd)
    return status.st_dev, status.st_ino


def lifted(fd: int) -> int:
    """Move a descriptor up: the program gets the low numbers that it would get without us, and seldom closes high ones.

    What is written to a number that the program has closed, and got again, lands in its file.
    """
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, min(HIGH_FD, bound.sysconf("SC_OPEN_MAX") - 16))
    finally:
        bound.close(fd)


def _wait_for_room(fd: int, limit_s: float) -> None:
    room = _poll()
    room.register(fd, select.POLLOUT)
    room.poll(1000 * limit_s)


def open_channel(tag: int = 0) -> Channel | None:
    """Take over the descriptor that the supervisor passed; None outside a supervised run."""
    fd = os.environ.pop(FD_VARIABLE, "")
    return Channel(int(fd), tag) if fd else None
