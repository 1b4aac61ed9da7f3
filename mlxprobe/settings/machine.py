"""What this machine has, and which limits follow from it."""

from __future__ import annotations

from pathlib import Path

SHARE = 0.4  # of the memory, where a limit is needed and nobody has set one
_CGROUP = Path("/sys/fs/cgroup")


def memory_bytes() -> int:
    """Return the memory that this machine, or the container around us, may use."""
    import psutil  # where a program is to be watched, nobody waits for it

    total = int(psutil.virtual_memory().total)
    return min(total, _read(_CGROUP / "memory.max", total))


def available_bytes() -> int:
    """Return the memory that a program of this machine, or of the container around us, can still get without swap."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = _read(_CGROUP / "memory.max", 0)
    if not limit:
        return free
    return max(0, min(free, limit - _read(_CGROUP / "memory.current", 0) + _reclaimable()))


def memory_limit(setting: int | float | None) -> int:
    """Turn the setting, bytes or a share of the machine's memory, into bytes; without one it is `SHARE`."""
    setting = SHARE if setting is None else setting
    return int(setting * memory_bytes()) if isinstance(setting, float) else setting


def _reclaimable() -> int:
    """Return the bytes of the container's memory that only cache files."""
    try:
        rows = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return int(rows["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0


def _read(file: Path, otherwise: int) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file, or the word "max"
        return otherwise
