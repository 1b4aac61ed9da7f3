"""Descendants of a program, and the adoption of its orphans: the queries of a reaper, with light imports."""

from __future__ import annotations

import os

from mlxprobe.system import LINUX, MAC

TRACKER = b"multiprocessing.resource_tracker"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
WITH_ENVIRONMENT = ("ps", "-A", "-E", "-ww") if MAC else ("ps", "axeww")  # macOS's is from its manual, and never run
# One after the other: to FreeBSD what follows a `=` is all of it a header.
COLUMNS = ("-opid=", "-oppid=", "-opgid=", "-ostat=", "-ocommand=")


class LinuxProcessTree:
    """Linux gives orphans to a process that asked for them, and can end a child with its parent."""

    adopts = True  # what has no children has left nothing behind

    def adopt(self, mark: str) -> None:
        """Become the parent of descendants whose parents end, so that none escapes by detaching itself."""
        _prctl(PR_SET_CHILD_SUBREAPER, 1)

    def die_with_parent(self, number: int) -> None:
        """Have the system send this process a signal when its parent ends."""
        _prctl(PR_SET_PDEATHSIG, number)

    def frees(self, pid: int) -> bool:
        """Check whether a process is Python's resource tracker, which frees the shared memory of another."""
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return TRACKER in file.read()
        except OSError:
            return False

    def parents(self, program: int) -> dict[int, int]:
        """Map every process to its parent, zombies left out; one whose main thread alone has ended is none."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", "rb") as file:
                        fields = file.read().rpartition(b")")[2].split()
                except OSError:
                    continue
                state, parent, threads = fields[0], int(fields[1]), int(fields[17])
                if state != b"Z" or threads > 1:
                    parents[int(entry)] = parent
        return parents


class PortableProcessTree:
    """Elsewhere orphans go to the first process; ps(1) lists living processes and their environments."""

    adopts = False

    def __init__(self) -> None:
        self._mark = ""

    def adopt(self, mark: str) -> None:
        """Know descendants whose parents have ended by a value in their environment."""
        self._mark = mark

    def die_with_parent(self, number: int) -> None:
        """Nothing: no system but Linux offers it."""

    def frees(self, pid: int) -> bool:
        """Check whether a process is Python's resource tracker, which frees the shared memory of another."""
        import subprocess

        order = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return TRACKER in subprocess.run(order, stdout=subprocess.PIPE, timeout=5, check=False).stdout

    def parents(self, program: int) -> dict[int, int]:
        """Map every process to its parent, zombies left out.

        The program's process group counts as our children, and so does a process with the mark.
        """
        import subprocess

        with subprocess.Popen([*WITH_ENVIRONMENT, *COLUMNS], stdout=subprocess.PIPE) as ps:
            told = ps.communicate(timeout=5)[0].decode(errors="replace")
        found = parsed(told, program, self._mark)
        found.pop(ps.pid, None)
        return found


def parsed(told: str, program: int, mark: str) -> dict[int, int]:
    """Parse the output of ps(1): living processes with their parents, or with us where one is the program's."""
    found = {}
    for pid, parent, group, state, *words in map(str.split, filter(None, told.split("\n"))):
        is_ours = int(group) == program or (mark and any(word.endswith("=" + mark) for word in words))
        if state[0] != "Z" or "l" in state:  # l: with threads that live, on Linux
            found[int(pid)] = os.getpid() if is_ours and int(pid) != os.getpid() else int(parent)
    return found


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


kin: LinuxProcessTree | PortableProcessTree = LinuxProcessTree() if LINUX else PortableProcessTree()
