"""Let the supervisor's tools trace this process, where the system lets parents alone do so (Linux with Yama)."""

from __future__ import annotations

import os

SCOPE_FILE = "/proc/sys/kernel/yama/ptrace_scope"
RESTRICTED = "1"  # to descendants, unless a process declares who may
PR_SET_PTRACER = 0x59616D61


def allow(supervisor: str) -> None:
    """Declare that the supervisor, by its process number, and what it starts may trace this process and its forks."""
    if not supervisor.isdigit() or not _restricted():
        return
    import ctypes  # takes some milliseconds, and elsewhere is not needed

    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_PTRACER, int(supervisor), 0, 0, 0)
    os.register_at_fork(after_in_child=lambda: prctl(PR_SET_PTRACER, int(supervisor), 0, 0, 0))


def _restricted() -> bool:
    try:
        with open(SCOPE_FILE, encoding="ascii") as file:
            return file.read().strip() == RESTRICTED
    except OSError:
        return False
