"""Native stacks of a process, as py-spy reads them from outside, where it is installed (`mlxprobe[native]`).

They are those of the threads that run Python; on Linux py-spy must be allowed to trace (see `inside.allow_tracing`).
Where all of them sleep, nobody is stopped. To read one that runs, py-spy stops the process for some hundredths of a
second, so it is asked only when a hang is about to be told.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mlxprobe.platform.system import system
from mlxprobe.values.observation import Frame, Stack

WITHIN_S = 2.0  # for all processes of a tree together
NAMELESS = "0x"  # an address that no symbol is known of


class _Frame(msgspec.Struct):
    name: str
    filename: str
    module: str | None = None


class _Thread(msgspec.Struct):
    thread_id: int
    frames: list[_Frame]
    thread_name: str | None = None
    os_thread_id: int = 0


class Inside(msgspec.Struct, frozen=True):
    """The native calls that one thread has made since its innermost Python frame, innermost first."""

    pid: int
    thread: str  # its number as faulthandler writes it
    name: str
    frames: tuple[Frame, ...]


def with_native(stacks: Sequence[Stack], within_s: float = WITHIN_S) -> tuple[Stack, ...]:
    """Return stacks with the native frames that their threads stand in; as they are where none can be had."""
    deadline = time.monotonic() + within_s
    found: list[Inside] = []
    for pid in sorted({one.pid for one in stacks}, reverse=True):  # the youngest says most
        found += native(pid, deadline - time.monotonic())
    return tuple(msgspec.structs.replace(one, native=_of(one, found)) for one in stacks)


def native(pid: int, within_s: float) -> list[Inside]:
    """Ask py-spy for the native stacks of one process; none where it is missing, not allowed, or not done in time."""
    spy = program()
    if not spy or within_s <= 0 or system.stopped(pid):
        return []
    deadline = time.monotonic() + within_s
    try:
        if found := asleep(_dumped(pid, within_s, "--nonblocking"), pid):
            return found
        return parse(_dumped(pid, deadline - time.monotonic(), "--native"), pid)
    except subprocess.TimeoutExpired:
        if system.stopped(pid):  # who traced it was killed, and left it so
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
    except (OSError, subprocess.CalledProcessError, msgspec.DecodeError, msgspec.ValidationError):
        pass
    return []


def _dumped(pid: int, within_s: float, how: str) -> bytes:
    words = [program(), "dump", how, "--json", "--pid", str(pid)]
    return subprocess.run(words, capture_output=True, timeout=max(within_s, 0.01), check=True).stdout


def asleep(report: bytes, pid: int) -> list[Inside]:
    """Read the native calls of a process whose threads that run Python all sleep; nothing where one does not."""
    inner = system.inner(pid)
    found = [(one, inner.calls(one.os_thread_id)) for one in msgspec.json.decode(report, type=list[_Thread])]
    if not all(calls for _, calls in found):
        return []
    return [
        _inside(pid, thread, (Frame(file=call.file, line=0, function=call.function) for call in calls))
        for thread, calls in found
    ]


def program() -> str:
    """Return py-spy's file, this environment's first; empty where there is none."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("py-spy", path=beside) or shutil.which("py-spy") or ""


def parse(report: bytes, pid: int) -> list[Inside]:
    """Read py-spy's report; only what lies further in than the innermost Python frame is told."""
    found = []
    for thread in msgspec.json.decode(report, type=list[_Thread]):
        inner: list[Frame] = []
        for frame in thread.frames:
            if not frame.module:
                break
            if not frame.name.startswith(NAMELESS):
                inner.append(Frame(file=frame.module, line=0, function=frame.name))
        found.append(_inside(pid, thread, inner))
    return found


def _inside(pid: int, thread: _Thread, frames: Iterable[Frame]) -> Inside:
    return Inside(pid, f"0x{thread.thread_id:016x}", thread.thread_name or "", tuple(frames))


def _of(stack: Stack, found: Iterable[Inside]) -> tuple[Frame, ...]:
    mine = (one.frames for one in found if one.pid == stack.pid and stack.thread in (one.thread, one.name))
    return next(mine, ())
