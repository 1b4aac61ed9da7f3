"""What a program leaves with by `sys.exit`: who ends it while the interpreter finishes hides its exit code."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.arguments import like
from mlxprobe.agent.recorder import Recorder


class Leaving:
    """Listen to `sys.exit`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._code: int | None = None
        self._evaluations = 0
        sys.exit = self._asked(sys.exit)

    @property
    def code(self) -> int | None:
        """The exit code asked for last; None where nobody did, or the program has gone on and evaluated since."""
        return self._code if self._evaluations == self._recorder.evaluations else None

    def _asked(self, original: Callable[..., Any]) -> Any:
        @like(original)
        def leave(*args: Any) -> None:
            if threading.current_thread() is threading.main_thread():
                self._code, self._evaluations = code_of(*args[:1]), self._recorder.evaluations
            original(*args)

        return leave


def code_of(status: object = None) -> int:
    """Return the exit code that Python makes of what `sys.exit` was given."""
    if status is None:
        return 0
    return status & 0xFF if isinstance(status, int) else 1
