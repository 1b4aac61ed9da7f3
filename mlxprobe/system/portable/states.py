"""States of processes from ps(1) and from their CPU times, coarser than those of Linux.

Threads are not distinguished: a process counts as one thread, with its own number, ready where any thread of it is.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable

import psutil

from mlxprobe.system import NAME
from mlxprobe.system.interface import RUNNING, Thread
from mlxprobe.system.portable import CachedAnswer

WITHIN_S = 5.0
ORDER = ("ps", "-A", *(["-L"] if NAME == "linux" else []), "-opid=", "-ostat=")  # macOS's is the worst of all threads'
WORST = "TtRDUSI"  # the first of these that any thread of a process has is the process's
CALLED = {"U": "D", "I": "S"}  # as BSDs call what waits for a disk, and who has slept for long
CLOCK_S = 0.02  # resolution of CPU times: user's and system's are rounded each
SPAN_S = 1.0  # over which CPU time is counted: a short while of work may follow a long rest
OWN_SHARE = 0.02  # of a processor: what the agent's thread takes, at the most


class States:
    """The last known state of each process."""

    def __init__(self) -> None:
        self._told = CachedAnswer(lambda: parsed(_ps()))
        self._used: dict[int, tuple[float, float]] = {}  # when a process was seen to move, and its CPU seconds then
        self._moves: dict[int, int] = {}
        self._ready: dict[int, tuple[float, float]] = {}  # when a process was seen to be ready, and its CPU seconds
        self._waited_s: dict[int, float] = {}

    def threads(self, pids: Iterable[int]) -> list[Thread]:
        """Return what living processes do; `switches` counts the looks that have found one to have computed."""
        told = self._told.now()
        return [self._thread(pid, told[pid]) for pid in pids if pid in told]

    def runs(self, pid: int) -> bool:
        """Check whether a process was ready in the last sample."""
        return self._told.now().get(pid) == RUNNING

    def waited_s(self, pid: int) -> float:
        """Return for how long a process has waited for processors: between looks at which it was ready."""
        return self._waited_s.get(pid, 0.0)

    def _thread(self, pid: int, state: str) -> Thread:
        now_s, cpu_s = time.monotonic(), cpu_seconds(pid)
        then_s, before_s = self._used.setdefault(pid, (now_s, cpu_s))
        moved = not 0 <= cpu_s - before_s <= CLOCK_S + OWN_SHARE * (now_s - then_s)
        if moved or now_s - then_s > SPAN_S:
            self._used[pid] = now_s, cpu_s
            self._moves[pid] = self._moves.get(pid, 0) + moved
        then_s, before_s = self._ready.pop(pid, (now_s, cpu_s))
        if state == RUNNING:
            self._ready[pid] = now_s, cpu_s
            self._waited_s[pid] = self.waited_s(pid) + max(0.0, now_s - then_s - (cpu_s - before_s))
        return Thread(pid, pid, state, self._moves.get(pid, 0), 0)


def _ps() -> str:
    try:
        return subprocess.run(ORDER, capture_output=True, text=True, timeout=WITHIN_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def parsed(rows: str) -> dict[int, str]:
    """Parse the output of ps(1): a line for each process or thread, without those that have ended."""
    found: dict[int, str] = {}
    for pid, state in (line.split() for line in rows.splitlines()):
        if (its := state[0]) in WORST:
            found[int(pid)] = min(its, found.get(int(pid), its), key=WORST.index)
    return {pid: CALLED.get(state, state) for pid, state in found.items()}


def below(pid: int) -> list[int]:
    """List the processes below one, from the list of all processes."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of processors; 0 of one that has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def stopped(pid: int) -> bool:
    """Check whether a process is stopped."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False
