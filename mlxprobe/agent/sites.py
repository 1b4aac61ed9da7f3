"""Where in the user's code something happened."""

from __future__ import annotations

import os
import sys
from types import FrameType, TracebackType

_AGENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep + "agent" + os.sep
_LIBRARY = (f"{os.sep}mlx{os.sep}", f"{os.sep}lib{os.sep}python", "<frozen")


def is_users(file: str) -> bool:
    """Tell whether a source file belongs to the user: not the agent, not MLX, not the standard library."""
    return not file.startswith(_AGENT) and not any(part in file for part in _LIBRARY)


def calling() -> tuple[str, int]:
    """Return file and line of the innermost frame of the user's code that is being executed."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0


def raising(traceback: TracebackType | None) -> tuple[str, int]:
    """Return file and line of the innermost frame of the user's code in a traceback."""
    found = ("", 0)
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if is_users(file):
            found = (file, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found
