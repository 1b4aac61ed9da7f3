"""The machine's memory, or what the container around us may have of it."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def memory_bytes() -> int:
    """Return the memory that this machine, or the container around us, may use."""
    total = int(psutil.virtual_memory().total)
    return min(total, _read(CGROUP / "memory.max", total))


def available_bytes() -> int:
    """Return the memory that a program of this machine, or of the container around us, can still get without swap."""
    free = int(psutil.virtual_memory().available)
    limit = _read(CGROUP / "memory.max", 0)
    if not limit:
        return free
    return max(0, min(free, limit - _read(CGROUP / "memory.current", 0) + _reclaimable()))


def _reclaimable() -> int:
    """Return the bytes of the container's memory that only cache files."""
    try:
        rows = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return int(rows["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0


def _read(file: Path, otherwise: int) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file, or the word "max"
        return otherwise
