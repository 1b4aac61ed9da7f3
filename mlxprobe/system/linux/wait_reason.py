"""The reason that a thread sleeps, read off its system call, and whether anything outside its process can end that."""

from __future__ import annotations

import functools
import os
import platform
import re
import struct
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from mlxprobe.system.interface import STOPPED, Awaited, Thread
from mlxprobe.system.linux.procfs import listed, target, text_of

NUMBERS = {  # of Linux's system calls; those of one name take the same arguments on both
    "x86_64": {0: "read", 45: "read", 47: "read", 43: "read", 288: "read", 7: "poll", 271: "poll", 23: "select",
               270: "select", 35: "sleep", 230: "clock sleep", 232: "epoll", 281: "epoll", 441: "epoll", 1: "write",
               20: "write", 44: "write", 46: "write", 202: "futex", 61: "wait", 247: "wait", 73: "lock", 72: "lock",
               34: "signal", 128: "signal", 130: "signal", 42: "connect"},
    "aarch64": {63: "read", 207: "read", 212: "read", 202: "read", 242: "read", 73: "poll", 72: "select",
                101: "sleep", 115: "clock sleep", 22: "epoll", 441: "epoll", 64: "write", 66: "write", 206: "write",
                211: "write", 98: "futex", 260: "wait", 95: "wait", 32: "lock", 25: "lock", 133: "signal",
                137: "signal", 203: "connect"},
}  # fmt: skip
MANY_DESCRIPTORS = 64
CLOCKS = {0: time.CLOCK_REALTIME, 1: time.CLOCK_MONOTONIC}
ABSOLUTE = 1
PRIVATE, CLOCK, COMMAND = 128, 256, 127  # of a futex call's operation
RELATIVE = (0,)  # FUTEX_WAIT: all others take the time at which they end
LONG_S = 1e8
_FLAGS = re.compile(r"^flags:\s*(\d+)", re.MULTILINE)
TERMINALS = ("/dev/pts/", "/dev/tty", "/dev/console")
INET = ("tcp", "tcp6", "udp", "udp6")


class Call(NamedTuple):
    """The system call that a thread is in, and its arguments."""

    name: str
    arguments: tuple[int, ...]


def outside(threads: Sequence[Thread], soon_s: float) -> str:
    """Say what from outside the tree any of its sleeping threads waits for; empty where nothing is known.

    A sleep that ends within `soon_s` is such a wait too: it is no hang.
    """
    pids = {one.pid for one in threads}
    sockets = functools.cache(lambda pid: outer_sockets(pid, pids))  # slow to read, and the same for all threads
    for one in threads:
        if one.tracer and one.tracer not in pids:
            return "a debugger"
        if waits := _waits(one, sockets, soon_s):
            return waits
    return ""


def _waits(thread: Thread, sockets: Callable[[int], set[str]], soon_s: float) -> str:
    call = call_of(thread)
    if call.name in ("sleep", "clock sleep"):
        left_s = sleeps_s(thread.pid, call)
        return f"the end of a sleep, in {left_s:.0f} s" if 0 <= left_s < soon_s else ""
    files = {file_of(thread.pid, str(fd)) for fd in descriptors(thread.pid, call)}
    if any(file.startswith(("/dev/pts/", "/dev/tty")) for file in files):
        return "input on its terminal"
    talks = any(file.startswith("socket:") for file in files)
    return "the network" if talks and files & sockets(thread.pid) else ""


def call_of(thread: Thread) -> Call:
    """Return the call that a thread sleeps in; nameless where it may not be read."""
    try:
        with open(f"/proc/{thread.pid}/task/{thread.number}/syscall", encoding="ascii") as file:
            number, *arguments = file.read().split()
        name = NUMBERS.get(platform.machine(), {}).get(int(number), "")
        return Call(name, tuple(int(one, 16) for one in arguments))
    except (OSError, ValueError):
        return Call("", ())


def descriptors(pid: int, call: Call) -> Sequence[int]:
    """Return the files that a call is about."""
    if call.name == "read":
        return call.arguments[:1]
    if call.name == "select":  # the first only: where one asks readline(3) for a line
        return [0] if call.arguments[0] == 1 else []
    if call.name == "poll" and call.arguments[1] <= MANY_DESCRIPTORS:
        data = memory(pid, call.arguments[0], 8 * call.arguments[1])
        return [fd for fd, _, _ in struct.iter_unpack("=ihh", data)]
    return []


def sleeps_s(pid: int, call: Call) -> float:
    """Return how long a sleep still takes at most; -1 where that cannot be read."""
    plain = call.name == "sleep"
    data = memory(pid, call.arguments[0 if plain else 2], 16)
    if len(data) < 16:
        return -1.0
    seconds, nanoseconds = struct.unpack("=qq", data)
    until_s: float = seconds + nanoseconds / 1e9
    if plain or not call.arguments[1] & ABSOLUTE:
        return until_s
    clock = CLOCKS.get(call.arguments[0])
    return -1.0 if clock is None else max(0.0, until_s - time.clock_gettime(clock))


def memory(pid: int, address: int, count: int) -> bytes:
    """Read another process's memory; nothing where that is not allowed."""
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
            file.seek(address)
            return file.read(count)
    except (OSError, ValueError, OverflowError):
        return b""


def file_of(pid: int, fd: str) -> str:
    """Return what a descriptor of a process is; empty where that cannot be read."""
    return target(f"/proc/{pid}/fd/{fd}")


def outer_sockets(pid: int, pids: Iterable[int]) -> set[str]:
    """List the network sockets that a process sees, without those whose other end is in the tree too."""
    rows = [row for kind in INET for row in rows_of(f"/proc/{pid}/net/{kind}")]
    ends = {(row[1], row[2]): f"socket:[{row[9]}]" for row in rows}
    ours = {file_of(one, fd) for one in pids for fd in listed(f"/proc/{one}/fd")}
    return {socket for (here, there), socket in ends.items() if ends.get((there, here)) not in ours}


def rows_of(table: str) -> list[list[str]]:
    """Read a table of the kernel's connections."""
    return [line.split() for line in text_of(table).splitlines()[1:]]


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
        words = "a reader of the pipe that it writes to" if writes else "what comes through a pipe"
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
