"""Start threads of ours that take no signal: one that the program has blocked in its own threads stays pending."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_start, _mask = threading.Thread.start, signal.pthread_sigmask
FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}  # of the thread itself
TAKEN = signal.valid_signals() - FAULTS


@contextlib.contextmanager
def without_signals() -> Iterator[None]:
    """Block all signals for threads that start meanwhile: a thread begins with the mask of its starter."""
    before = _mask(signal.SIG_BLOCK, TAKEN)
    try:
        yield
    finally:
        _mask(signal.SIG_SETMASK, before)


def start(thread: threading.Thread) -> None:
    """Start a thread of ours.

    Raises:
        RuntimeError: the system has no thread left.
    """
    with without_signals():
        _start(thread)
