"""What each thread of a process sleeps for, in words, and whether anybody but the process itself can end that."""

from __future__ import annotations

import os
import re
import struct
import time
from collections.abc import Collection

from mlxprobe.system.interface import STOPPED, Awaited, Thread
from mlxprobe.system.linux.procfs import listed, text_of
from mlxprobe.system.linux.waits import (
    INET,
    Call,
    call_of,
    descriptors,
    file_of,
    memory,
    outer_sockets,
    rows_of,
    sleeps_s,
)

PRIVATE, CLOCK, COMMAND = 128, 256, 127  # of a futex call's operation
RELATIVE = (0,)  # FUTEX_WAIT: all others take the time at which they end
LONG_S = 1e8
_FLAGS = re.compile(r"^flags:\s*(\d+)", re.MULTILINE)
TERMINALS = ("/dev/pts/", "/dev/tty", "/dev/console")


def awaited(thread: Thread, pids: Collection[int]) -> Awaited:
    """Say what a thread sleeps for; empty for one that runs, and where it may not be read.

    Args:
        thread: as it was seen.
        pids: the processes of the tree; a pipe between two of them is the tree's own.
    """
    if thread.tracer:
        return Awaited("a debugger", outer=True)
    if thread.state in _STATES:
        return _STATES[thread.state]
    call = call_of(thread)
    if call.name in ("sleep", "clock sleep"):
        return _until(sleeps_s(thread.pid, call), "the end of a sleep")
    if call.name == "futex":
        return _futex(thread.pid, call.arguments, alone=len(pids) < 2)
    files = {file_of(thread.pid, str(fd)) for fd in _files(thread.pid, call)} - {""}
    return _PLAIN.get(call.name) or _of_files(thread.pid, files, pids, writes=call.name == "write")


_STATES = {
    "D": Awaited("a disk", outer=True),
    **dict.fromkeys(STOPPED, Awaited("a signal to go on: it is stopped", outer=True)),
}
_PLAIN = {
    "wait": Awaited("a child's end"),
    "lock": Awaited("a file's lock", outer=True),
    "signal": Awaited("a signal", outer=True),
    "connect": Awaited("a connection", outer=True),
    "epoll": Awaited("events of its connections and files", outer=True),
}


def _files(pid: int, call: Call) -> Collection[int]:
    if call.name == "write":
        return call.arguments[:1]
    told = descriptors(pid, call)
    if call.name == "select" and not told:  # which of them is not read off its sets: any may be
        return [int(fd) for fd in listed(f"/proc/{pid}/fd") if fd.isdigit() and 2 < int(fd) < call.arguments[0]]
    return told


def _of_files(pid: int, files: Collection[str], pids: Collection[int], *, writes: bool) -> Awaited:
    if any(file.startswith(TERMINALS) for file in files):
        return Awaited("a terminal that takes what it writes" if writes else "input on its terminal", outer=True)
    if sockets := {file for file in files if file.startswith("socket:")}:
        inner = sockets & _network(pids) - outer_sockets(pid, pids)  # both ends are in the tree
        return Awaited("a connection", outer=not inner)
    if pipes := {file for file in files if file.startswith("pipe:")}:
        outer = bool(pipes & _held_outside(pids)) or not pipes <= _held(pids, writing=not writes)
        words = "somebody to read the pipe that it writes to" if writes else "what comes through a pipe"
        return Awaited(words, outer=outer)
    return Awaited("a file or device", outer=True) if files else Awaited()


def _held_outside(pids: Collection[int]) -> set[str]:
    """List what processes outside of the tree hold too, as far as that may be read."""
    others = (pid for pid in listed("/proc") if pid.isdigit() and int(pid) not in pids)
    return {held for pid in others for fd in listed(f"/proc/{pid}/fd") if (held := file_of(int(pid), fd))}


def _held(pids: Collection[int], *, writing: bool) -> set[str]:
    """List what the tree's processes hold for writing, or for reading."""
    found = set()
    for pid in pids:
        for fd in listed(f"/proc/{pid}/fd"):
            told = _FLAGS.search(text_of(f"/proc/{pid}/fdinfo/{fd}"))
            if told and (int(told[1], 8) & os.O_ACCMODE != os.O_RDONLY) is writing:
                found.add(file_of(pid, fd))
    return found


def _network(pids: Collection[int]) -> set[str]:
    """List the network sockets that the tree's processes see."""
    rows = [row for pid in sorted(pids)[:1] for kind in INET for row in rows_of(f"/proc/{pid}/net/{kind}")]
    return {f"socket:[{row[9]}]" for row in rows}


def _futex(pid: int, arguments: tuple[int, ...], *, alone: bool) -> Awaited:
    operation = arguments[1]
    if not arguments[3]:
        shared = not operation & PRIVATE
        words = ", which other processes share" if shared else ""
        return Awaited(f"a lock or condition, without a time limit{words}", outer=shared and alone)
    given = memory(pid, arguments[3], 16)
    if len(given) < 16:
        return Awaited("a lock or condition, for a limited time", outer=True)
    seconds, nanoseconds = struct.unpack("=qq", given)
    left_s = seconds + nanoseconds / 1e9
    if operation & COMMAND not in RELATIVE:
        left_s -= time.clock_gettime(time.CLOCK_REALTIME if operation & CLOCK else time.CLOCK_MONOTONIC)
    return _until(left_s, "a lock or condition, for a limited time")


def _until(left_s: float, words: str) -> Awaited:
    told = f": {left_s:,.0f} s are left" if 0 <= left_s < LONG_S else ""
    return Awaited(words + told, outer=True)
