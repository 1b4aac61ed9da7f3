"""Start threads of ours that `threading` does not list: programs count, join and wait for all that it does.

They take no signal: one that the program has blocked in its own threads stays pending. Nothing that runs on them may
call `threading.current_thread`, which would list them.
"""

from __future__ import annotations

import signal
import threading
from _signal import pthread_sigmask  # type: ignore[import-not-found] # of C: a handler cannot come before it is called
from collections.abc import Callable

from mlxprobe.agent.wire import bound

FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}  # of the thread itself
TAKEN = signal.valid_signals() - FAULTS
BEGINS_WITHIN_S = 5.0
_ours: set[int] = set()  # by `get_ident`


def start(run: Callable[[], None]) -> None:
    """Call a function on a thread of ours; the interpreter does not wait for it when it ends.

    A thread begins with the mask of its starter. That one's is put back whatever a signal handler raises meanwhile.

    Raises:
        RuntimeError: the system has no thread left.
    """
    before = pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        pthread_sigmask(signal.SIG_BLOCK, TAKEN)
        bound.start_new_thread(run, ())
    finally:
        pthread_sigmask(signal.SIG_SETMASK, before)


class Thread:
    """A thread of ours; `native_id` is the system's number of it, 0 where it has not begun in time.

    Raises:
        RuntimeError: the system has no thread left.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self.native_id = 0
        self._run = run
        self._pid = bound.getpid()
        self._begun, self._ended = bound.allocate_lock(), bound.allocate_lock()
        self._begun.acquire()
        self._ended.acquire()
        start(self._main)
        self._begun.acquire(timeout=BEGINS_WITHIN_S)

    def _main(self) -> None:
        _ours.add(bound.get_ident())
        self.native_id = bound.get_native_id()
        self._begun.release()
        try:
            self._run()
        finally:
            _ours.discard(bound.get_ident())
            self._ended.release()

    def join(self, within_s: float) -> None:
        """Wait for its end; a fork has no such thread."""
        if bound.getpid() == self._pid and self._ended.acquire(timeout=within_s):
            self._ended.release()


def is_ours() -> bool:
    """Check whether the caller runs on a thread of ours."""
    return bound.get_ident() in _ours


def unlist() -> None:
    """Take the caller's thread out of those that `threading` lists, where something has asked it for the thread."""
    listed: dict[int, threading.Thread] = getattr(threading, "_active", {})
    listed.pop(bound.get_ident(), None)
