"""What a program leaves with: who ends it while the interpreter finishes hides its exit code."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.ranks import declared
from mlxprobe.protocol.facts.ranks import AskedToLeave
from mlxprobe.system import self_process

ENDING_S = 0.5  # at most: a thread of `_thread` is listed nowhere, and may not be ending at all
UNLISTED_S = 0.03
NAP_S = 0.001


class Leaving:
    """Listen to `sys.exit`, and to the interpreter, which asks the `SystemExit` that ends it for its code.

    Until Python 3.12 it does not ask where `sys.exit` has raised it.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._code: int | None = None
        self._evaluations = 0
        self._shown: object = None  # the error that Python had shown before it was asked to leave
        sys.exit = self._asked(sys.exit)
        kept = vars(SystemExit)["code"]
        own = bound.get_referents(vars(SystemExit))[0]  # its attributes themselves: Python hands out a view of them
        own["code"] = property(self._read(kept.__get__), kept.__set__, kept.__delete__, kept.__doc__)
        self.undo = partial(own.__setitem__, "code", kept)  # the class outlives everything else

    @property
    def code(self) -> int | None:
        """The exit code asked for last; None where nobody did, or the program has gone on and evaluated since."""
        return self._code if self._evaluations == self._recorder.evaluations else None

    @property
    def error(self) -> BaseException | None:
        """The exception that ends the program, as far as Python tells: the last that it has shown, and none since.

        A debugger or a console shows exceptions that end nothing, so an exit code of 0 says otherwise.
        """
        shown = last_shown()
        return shown if isinstance(shown, BaseException) and shown is not self._shown else None

    def _asked(self, original: Callable[..., Any]) -> Any:
        @like(original)
        def leave(*args: Any, **kwargs: Any) -> None:
            with self._recorder.carefully():
                if bound.get_ident() == threading.main_thread().ident:  # `current_thread` would list one of `_thread`
                    self._leaves(*args[:1])
                    if declared()[0] >= 0:
                        self._recorder.revise(AskedToLeave(), call_site.calling())
            original(*args, **kwargs)

        return leave

    def _read(self, original: Callable[[SystemExit], Any]) -> Callable[[SystemExit], Any]:
        def code(error: SystemExit) -> Any:
            status = original(error)
            if bound.frame().f_back is None:  # no line of Python's asks
                self._leaves(status)
            return status

        return code

    def _leaves(self, status: object = None) -> None:
        self._code, self._evaluations = code_of(status), self._recorder.evaluations
        self._shown = last_shown()


def wait_for_ending(native_ids: set[int]) -> None:
    """Wait for threads of the program's that have returned and that the system is still ending.

    MLX 0.32 takes the GIL once more in each thread that it has worked on, at that thread's very end, where `join` has
    returned already. If the interpreter finishes meanwhile, the process aborts: a race of MLX's that we make longer.
    Where the system lists no threads, one short wait has to do.
    """
    until_s = bound.monotonic() + (ENDING_S if self_process.threads() else UNLISTED_S)
    while bound.monotonic() < until_s:
        ending = native_ids - {one.native_id for one in threading.enumerate()}
        if not ending & (set(map(int, self_process.threads())) or ending):
            break
        bound.sleep(NAP_S)


def last_shown() -> object:
    """Return the exception that Python has shown last, or whatever the program has put in its place."""
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)


def code_of(status: object = None) -> int:
    """Return the exit code that Python makes of what `sys.exit` was given."""
    if status is None:
        return 0
    return status & 0xFF if isinstance(status, int) else 1
