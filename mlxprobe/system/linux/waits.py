"""What a sleeping thread waits for, where the kernel tells: a person, the network, a debugger, or a sleep's end."""

from __future__ import annotations

import functools
import platform
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mlxprobe.system.interface import Thread
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
INET = ("tcp", "tcp6", "udp", "udp6")


class Call(NamedTuple):
    """The system call that a thread is in, and its arguments."""

    name: str
    arguments: tuple[int, ...]


def outside(threads: Sequence[Thread], soon_s: float) -> str:
    """Say what from outside the tree any of its sleeping threads waits for; empty where nothing is known.

    A sleep that ends within `soon_s` is such a wait too: nobody of the tree can be stuck on it for ever.
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
    """Return what a descriptor of a process is; empty where that is not told."""
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
