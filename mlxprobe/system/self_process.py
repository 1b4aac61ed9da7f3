"""What a watched process asks of the system about itself; the standard library alone, for the agent is its guest."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Iterator

from mlxprobe.system import LINUX, MAC

SCOPE_FILE = "/proc/sys/kernel/yama/ptrace_scope"
RESTRICTED = "1"  # to descendants, unless a process declares who may
PR_SET_PTRACER = 0x59616D61
CGROUP = "/sys/fs/cgroup/memory.max"


def allow_tracing(supervisor: str) -> None:
    """Let the supervisor, by its process number, and what it starts trace this process and its forks.

    Needed where the system lets parents alone do so: Linux with Yama.
    """
    if not supervisor.isdigit() or not _restricted():
        return
    import ctypes  # takes some milliseconds, and elsewhere is not needed

    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_PTRACER, int(supervisor), 0, 0, 0)
    os.register_at_fork(after_in_child=lambda: prctl(PR_SET_PTRACER, int(supervisor), 0, 0, 0))


def _restricted() -> bool:
    return LINUX and _read(SCOPE_FILE) == RESTRICTED


def threads() -> list[str]:
    """List this process's threads by the system's numbers; none except on Linux."""
    try:
        return os.listdir("/proc/self/task") if LINUX else []
    except OSError:
        return []


def named(prefix: str) -> Iterator[int]:
    """List this process's threads whose names begin so, as C libraries name theirs; none except on Linux."""
    for number in threads():
        if _read(f"/proc/self/task/{number}/comm").startswith(prefix):
            yield int(number)


def most_held_bytes() -> int:
    """Return the most that this process has held at once, its resident memory; 0 where unknown."""
    if not LINUX:
        import resource  # takes a moment, at the end alone

        return peak_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    known = [line.split() for line in _read("/proc/self/status").splitlines() if line.startswith("VmHWM:")]
    return int(known[0][1]) * 1024 if known else 0  # getrusage also counts what the parent held before the exec


def peak_bytes(maxrss: int) -> int:
    """Return the bytes of a process's largest resident memory, as the system's `getrusage` counts it."""
    return maxrss * (1 if MAC else 1024)


@functools.lru_cache(1)
def machine_bytes() -> float:
    """Return the machine's memory."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        return math.inf


def memory_bytes() -> float:
    """Return what the machine, or our share of it, has."""
    with contextlib.suppress(ValueError):
        return float(int(_read(CGROUP) if LINUX else ""))
    return machine_bytes()


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read().strip()
    except OSError:
        return ""
