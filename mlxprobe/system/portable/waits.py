"""The reason that a process sleeps, where system calls cannot be read: from connections and lines of Python."""

from __future__ import annotations

import re
from collections.abc import Collection

import psutil

from mlxprobe.system.interface import STOPPED, Awaited, Thread

_SLEEP = re.compile(r"\bsleep\(\s*(?:([\d._]+)\s*\))?")
_JOINS = re.compile(r"\bdistributed\.init\(")  # MLX's ring tries to connect six times, and sleeps 1 to 16 s in between
_PERSON = re.compile(r"\binput\(|\bstdin\b")
_KNOWN = {
    "D": Awaited("a disk", outer=True),
    **dict.fromkeys(STOPPED, Awaited("a signal to go on: it is stopped", outer=True)),
}


def outside(pids: Collection[int], soon_s: float, lines: Collection[str]) -> str:
    """Say what from outside of some processes any of them may wait for; who is connected may always wait for that.

    Args:
        pids: the processes.
        soon_s: a sleep that ends by then is such a wait too; so is one whose end is unknown.
        lines: the innermost lines of their Python threads.
    """
    sleeps = [found[1] for line in lines if (found := _SLEEP.search(line))]
    if any(seconds(one) < soon_s for one in sleeps):
        return "the end of a sleep"
    if any(map(_JOINS.search, lines)):
        return "the other ranks, which it tries to connect to again and again"
    if any(map(_PERSON.search, lines)):
        return "input on its terminal"
    return "the network" if connected(pids) else ""


def seconds(told: str | None) -> float:
    """Return how long a sleep is by its line; 0 where it does not say so."""
    try:
        return float(told or 0)
    except ValueError:
        return 0.0


def connected(pids: Collection[int]) -> bool:
    """Check whether any of some processes has a connection to another, here or elsewhere."""
    ends = [one for pid in pids for one in _connections(pid)]
    ours = {one.laddr for one in ends}
    return any(one.raddr not in ours for one in ends)


def _connections(pid: int) -> list[psutil._common.pconn]:
    try:
        process = psutil.Process(pid)
        ask = getattr(process, "net_connections", process.connections)
        return [one for one in ask(kind="inet") if one.raddr]
    except (psutil.Error, OSError):
        return []


def awaited(thread: Thread, line: str) -> Awaited:
    """Say what a process waits for, as far as its state and its innermost line show."""
    if thread.state in _KNOWN:
        return _KNOWN[thread.state]
    told = outside((thread.pid,), float("inf"), (line,))
    return Awaited(told, outer=bool(told))
