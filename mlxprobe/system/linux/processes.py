"""Properties of a process that the kernel reports, apart from its threads."""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from mlxprobe.system.linux.procfs import text_of

FORKED_ONLY = 0x40  # PF_FORKNOEXEC
_SWAP = r"(?m)^VmSwap:\s*(\d+) kB"
_CAUGHT = r"(?m)^SigCgt:\s*([0-9a-f]+)$"
_STOPPED = r"(?m)^State:\s*[TtZX]"


def descendants(pid: int) -> list[int]:
    """List the processes below one: from the kernel's own lists of children, else from the list of all processes."""
    found: list[int] = []
    waiting = [pid]
    try:
        while waiting:
            children = _children(waiting.pop())
            found += children
            waiting += children
    except OSError:  # a kernel without these lists, or a process that ended just now
        from mlxprobe.system.portable.states import below

        return below(pid)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            found += map(int, file.read().split())
    return found


def swap_bytes(pid: int) -> int:
    """Return how much of a process is in swap."""
    told = re.search(_SWAP, text_of(f"/proc/{pid}/status"))
    return 1024 * int(told[1]) if told else 0


def pages_read(pid: int) -> int:
    """Return how many pages the system has fetched for a process from a disk or from swap."""
    fields = _fields(pid)
    return int(fields[9]) if len(fields) > 9 else 0


def is_fork(pid: int, parents: Collection[int]) -> bool:
    """Check whether a process is a copy of one of these that runs no program of its own."""
    fields = _fields(pid)
    return len(fields) > 6 and int(fields[1]) in parents and bool(int(fields[6]) & FORKED_ONLY)


def _fields(pid: int) -> list[str]:
    return text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()


def handles(pid: int, number: int, like: int = 0) -> bool:
    """Check whether a process takes a signal and can answer: it has a handler, and is not stopped."""
    status = text_of(f"/proc/{pid}/status")
    caught = re.search(_CAUGHT, status)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1) and not re.search(_STOPPED, status)


def environment(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with."""
    words = text_of(f"/proc/{pid}/environ").split("\0")
    return {name: value for name, is_one, value in (word.partition("=") for word in words) if is_one}


def command(pid: int) -> list[str]:
    """Return the words that a process was started with."""
    return text_of(f"/proc/{pid}/cmdline").split("\0")[:-1]


def mapped(pid: int) -> list[str]:
    """List the files that a process has mapped, each once."""
    rows = (line.split(maxsplit=5) for line in text_of(f"/proc/{pid}/maps").splitlines())
    return list(dict.fromkeys(row[5] for row in rows if len(row) > 5))


def queues(pid: int) -> dict[str, tuple[int, int]]:
    """Return the unsent and unread bytes of the connections that a process sees, by their ports."""
    found = {}
    for kind in ("tcp", "tcp6"):
        for line in text_of(f"/proc/{pid}/net/{kind}").splitlines()[1:]:
            _, here, there, _, held, *_ = line.split()
            unsent, unread = (int(part, 16) for part in held.split(":"))
            ports = (int(end.rpartition(":")[2], 16) for end in (here, there))
            found[">".join(map(str, ports))] = unsent, unread
    return found


def readable(pid: int) -> bool:
    """Check whether the system lets us read what a process holds, which py-spy needs too."""
    try:
        with open(f"/proc/{pid}/mem", "rb"), open(f"/proc/{pid}/task/{pid}/syscall", "rb"):
            return True
    except PermissionError:
        return False
    except OSError:  # it has just ended, or the kernel was built without such files
        return True
