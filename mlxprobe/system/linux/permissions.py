"""Which right is missing to read another process, in one sentence that says what would give it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
KNOWN = {
    "1": "Yama lets parents alone read a process: run this as root, or `sudo sysctl kernel.yama.ptrace_scope=0` first",
    "2": "Yama lets administrators alone read processes (kernel.yama.ptrace_scope = 2): run this as root",
    "3": "Yama forbids reading other processes (kernel.yama.ptrace_scope = 3), and only a restart changes that",
}


def forbidden(pids: Sequence[int]) -> str:
    """Say why processes may not be read, and what is needed."""
    named = ", ".join(map(str, pids))
    return f"no stacks of process {named}: {_why(pids[0])}"


def _why(pid: int) -> str:
    owner = _owner(pid)
    if owner is not None and os.geteuid() not in (0, owner):
        return f"it is of the user {_name(owner)}: run this as that user, or as root"
    scope = SCOPE.read_text().strip() if SCOPE.exists() else "0"
    if os.geteuid() != 0 and scope in KNOWN:
        return KNOWN[scope]
    return (
        "the system does not allow it: in a container, start it with `--cap-add=SYS_PTRACE`; elsewhere run this as root"
    )


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
