"""Process trees as psutil finds them, on any system."""

from __future__ import annotations

import psutil


def below(pid: int) -> list[int]:
    """List the processes below one, from the list of all processes."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
