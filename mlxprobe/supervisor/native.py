"""Native stacks of processes, from outside and without a stop, where py-spy is installed (`mlxprobe[native]`).

py-spy tells which threads run Python, the system what those of them call that sleep. One that computes is looked at
again for a while: it sleeps for a moment now and then. On Linux both must be allowed (see `inside.allow_tracing`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mlxprobe.schema.observation import Frame, Stack
from mlxprobe.system.interface import Inner, Native
from mlxprobe.system.system import system

WITHIN_S = 2.0  # for all processes of a tree together
TRIES, TRY_S = 40, 0.002


class _Thread(msgspec.Struct):
    thread_id: int
    thread_name: str | None = None
    os_thread_id: int | None = None


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
    """Read the native calls of one process's threads; none where py-spy is missing, not allowed, or not in time."""
    spy = program()
    if not spy or within_s <= 0 or system.stopped(pid):
        return []
    try:
        words = [spy, "dump", "--nonblocking", "--json", "--pid", str(pid)]
        report = subprocess.run(words, capture_output=True, timeout=within_s, check=True).stdout
        threads = msgspec.json.decode(report, type=list[_Thread])
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError, msgspec.ValidationError):
        return []
    inner = system.inner(pid)
    return [_inside(pid, one, calls_of(inner, one.os_thread_id or 0)) for one in threads]


def calls_of(inner: Inner, number: int, tries: int = TRIES) -> Sequence[Native]:
    """Return the native calls of a thread, of so many looks the first that finds it asleep."""
    for _ in range(tries):
        if calls := inner.calls(number):
            return calls
        time.sleep(TRY_S if tries > 1 else 0)
    return ()


def program() -> str:
    """Return py-spy's file, this environment's first; empty where there is none."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("py-spy", path=beside) or shutil.which("py-spy") or ""


def _inside(pid: int, thread: _Thread, calls: Iterable[Native]) -> Inside:
    frames = tuple(Frame(file=call.file, line=0, function=call.function) for call in calls)
    return Inside(pid, f"0x{thread.thread_id:016x}", thread.thread_name or "", frames)


def _of(stack: Stack, found: Iterable[Inside]) -> tuple[Frame, ...]:
    mine = (one.frames for one in found if one.pid == stack.pid and stack.thread in (one.thread, one.name))
    return next(mine, ())
