"""What this machine has, and which limits follow from it."""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_bytes() -> int:
    """Return the memory that this machine, or the container around us, may use."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no such file, or the word "max"
        return total


def memory_limit(setting: int | float) -> int:
    """Turn the setting, bytes or a share of the machine's memory, into bytes."""
    return int(setting * memory_bytes()) if isinstance(setting, float) else setting
