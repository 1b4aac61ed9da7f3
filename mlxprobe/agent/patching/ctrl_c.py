"""Hold a Ctrl-C back while our own code loads: it comes when the program's own lines go on, and shows none of ours.

What it raises right at the end of our code would still be raised in it. So it is raised again by a thread that waits
until the main thread has left us; there is such a thread only where a signal has come.
"""

from __future__ import annotations

import contextlib
import os
from _signal import SIGINT, getsignal, signal  # type: ignore[import-not-found] # before the program can replace them
from _thread import get_ident, interrupt_main, start_new_thread
from sys import _current_frames
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "")
FROZEN, RUNNER = "<frozen ", "<frozen runpy>"  # the outermost file while Python starts, and of `python -m`
SITE = os.sep + "site.py"  # before Python 3.11
PAUSE_S, AT_MOST_S = 0.0005, 2.0
MAIN = get_ident()  # this module is imported at Python's start


class _Held:
    """Hold a Ctrl-C back within a `with`; one object for all, whose uses may be nested and on several threads.

    A mask would not do: the system gives the signal to any thread that takes it.
    """

    def __init__(self) -> None:
        self._depth = 0  # on the main thread
        self._heard = 0
        self._handler: Any = None

    def __enter__(self) -> None:
        if get_ident() == MAIN:
            self._depth += 1
            if self._depth == 1 and callable(handler := getsignal(SIGINT)):
                with contextlib.suppress(ValueError):  # no interpreter but the main one may
                    self._handler = handler
                    signal(SIGINT, self._hear)

    def __exit__(self, *_: object) -> None:
        if get_ident() == MAIN:
            self._depth -= 1
            if self._depth == 0:
                self._let_go()

    def _hear(self, *_: object) -> None:
        self._heard += 1

    def _let_go(self) -> None:
        """Put the program's handler back; it is called when our code is left."""
        handler, self._handler = self._handler, None
        if handler is None:
            return
        with contextlib.suppress(ValueError):
            signal(SIGINT, handler)
        heard, self._heard = self._heard, 0
        if heard:
            try:
                start_new_thread(_send_again, ())
            except RuntimeError:  # the system has no thread left
                interrupt_main()


HELD = _Held()


def _send_again() -> None:
    """Interrupt the main thread as soon as it runs the program's lines and none of ours."""
    until_s = monotonic() + AT_MOST_S
    while monotonic() < until_s and not _is_the_programs(_current_frames().get(MAIN)):
        sleep(PAUSE_S)
    interrupt_main()


def _is_the_programs(frame: FrameType | None) -> bool:
    """Check whether a frame was not called by Python's start, nor by our code."""
    file = OURS  # between two of Python's own
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(OURS):
            return False
        frame = frame.f_back
    is_start = file.endswith(SITE) or (file.startswith(FROZEN) and file != RUNNER)
    return not file.startswith(OURS) and not is_start
