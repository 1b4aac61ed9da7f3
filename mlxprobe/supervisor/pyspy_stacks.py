"""Python and native stacks of processes, read from outside by py-spy (`mlxprobe[native]`) without stopping them.

`--nonblocking` only reads memory: a report that was read while frames changed is discarded. py-spy lists the threads
that run Python, the system the native calls of those that sleep. A thread that computes is read again for a while,
because it sleeps for a moment now and then. On Linux both need permission (see `self_process.allow_tracing`).
"""

from __future__ import annotations

import contextlib
import linecache
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from mlxprobe.agent.introspection.code_ownership import Roots
from mlxprobe.schema.enums import Whose
from mlxprobe.schema.observation import Frame, Stack
from mlxprobe.supervisor.deadline import Deadline
from mlxprobe.system.interface import Native, NativeReader
from mlxprobe.system.system import system

WITHIN_S = 1.0  # for all processes at one look, while py-spy has a processor
NATIVE_WITHIN_S = 2.0  # for the native calls of all processes of a tree
TRIES, TRY_S = 40, 0.002
WAIT_S = 0.02
AT_ONCE = 8
MISSING = (
    "no Python stacks: py-spy is not installed; `pip install 'mlxprobe[native]'` where mlxprobe is, and attach again"
)
MLX = ("libmlx", "mlx/core")  # in the path of a native frame's library
PROGRESS = ("/mlx/", "<frozen importlib")  # in the file of a Python frame
_REFUSED = ("permission", "operation not permitted", "eperm", "sudo")


class _Frame(msgspec.Struct):
    name: str
    filename: str
    line: int = 0
    module: str | None = None


class _Thread(msgspec.Struct):
    thread_id: int
    frames: list[_Frame] = []
    thread_name: str | None = None
    os_thread_id: int | None = None


def program() -> str:
    """Return the path of py-spy, preferably this environment's; empty where there is none."""
    return shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy") or ""


def dump_of(pid: int) -> list[str]:
    """Return the command that prints the Python stacks of a process as JSON."""
    return [program(), "dump", "--nonblocking", "--json", "--pid", str(pid)]


class PySpyStacks:
    """The stacks of some processes; `numbers` are the system's numbers of their threads, by process and name.

    `refused` are the processes that may not be read, `silent` those in which there is nothing to read.
    """

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, str], int] = {}
        self.refused: set[int] = set()
        self.silent: set[int] = set()
        self.bystanders: set[tuple[int, str]] = set()
        self.latest: dict[tuple[int, str], Stack] = {}
        self.inside: dict[tuple[int, int], tuple[Frame, ...]] = {}  # the native calls of threads
        self.progressing: set[int] = set()  # processes seen in Python code of MLX, or of an import
        self.roots = Roots()

    def take(self, programs: Mapping[int, Iterable[int]], *, final: bool = False) -> tuple[Stack, ...]:
        """Read the Python stacks of processes, without those of bystanders; a process's main thread comes last."""
        asked = sorted({*programs, *(fork for forks in programs.values() for fork in forks)} - self.refused)
        read = (stack for start in range(0, len(asked), AT_ONCE) for stack in self._read(asked[start:][:AT_ONCE]))
        found = list(read)
        self.latest |= {(one.pid, one.thread): one for one in found}
        found = [self._with_native(one) for one in found]
        return tuple(one for one in found if (one.pid, one.thread) not in self.bystanders)

    def name(self, pid: int, number: int) -> str:
        """Return how a thread is called that the system has given a number; empty where it is not known."""
        return next((name for (of, name), its in self.numbers.items() if (of, its) == (pid, number)), "")

    def known(self) -> dict[tuple[int, int], Stack]:
        """Return the last stack of each thread, by process and number."""
        return {(key[0], self.numbers.get(key, 0)): self._with_native(one) for key, one in self.latest.items()}

    def look_inside(self, pids: Iterable[int]) -> bool:
        """Read the native calls of what sleeps now; return whether that has changed who are bystanders."""
        python = {(pid, number) for (pid, _), number in self.numbers.items()}
        for pid in pids:
            inner = system.inner(pid)
            for one in system.threads([pid]):
                tries = TRIES if (pid, one.number) in python and (pid, one.number) not in self.inside else 1
                if calls := calls_of(inner, one.number, tries):
                    frames = (Frame(file=call.file, line=0, function=call.function) for call in calls)
                    self.inside[pid, one.number] = tuple(frames)
        before, self.bystanders = self.bystanders, self._not_in_mlx()
        return before != self.bystanders

    def forget(self, moved: Iterable[tuple[int, str]]) -> None:
        """Drop the native calls of threads that have gone on since."""
        for key in moved:
            self.inside.pop((key[0], self.numbers.get(key, 0)), None)

    def _not_in_mlx(self) -> set[tuple[int, str]]:
        """Return the threads outside MLX of processes that have a thread inside it: they do not matter.

        What MLX waits for only its own threads do, and other ranks: no thread that beats, draws a bar or serves.
        """
        within = {key for key, number in self.numbers.items() if in_mlx(self.inside.get((key[0], number), ()))}
        pids = {pid for pid, _ in within}
        return {key for key in self.numbers if key[0] in pids and key not in within}

    def _read(self, pids: Sequence[int]) -> list[Stack]:
        if not program():
            return []
        running = {pid: _started(pid) for pid in pids}
        spies = {one.pid: str(one.pid) for one in running.values()}
        deadline = Deadline(WITHIN_S, lambda: system.any_ready(spies, spies.values()))
        found: list[Stack] = []
        for pid, process in running.items():
            out, told = _ended(process, deadline)
            if process.returncode == 0:
                found += self._parsed(out, pid)
            elif process.returncode > 0:  # less: we have ended it
                self._note(pid, told)
        return found

    def _note(self, pid: int, told: bytes) -> None:
        words = told.decode(errors="replace").lower()
        if any(word in words for word in _REFUSED):
            self.refused.add(pid)
        else:
            self.silent.add(pid)

    def _parsed(self, report: bytes, pid: int) -> list[Stack]:
        stacks: list[Stack] = []
        with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
            for thread in msgspec.json.decode(report, type=list[_Thread]):
                name = thread.thread_name or f"0x{thread.thread_id:016x}"
                main = thread.os_thread_id == pid
                self.numbers[pid, name] = thread.os_thread_id or 0
                frames = tuple(self._frame(one) for one in thread.frames)
                if any(part in frame.file for frame in frames for part in PROGRESS):
                    self.progressing.add(pid)
                stack = Stack(pid=pid, thread=name, frames=frames)
                stacks.insert(len(stacks) if main else 0, stack)
            self.silent.discard(pid)
        return stacks

    def _frame(self, one: _Frame) -> Frame:
        code = linecache.getline(one.filename, one.line).strip()
        whose = Whose(self.roots.whose(one.filename))
        return Frame(file=one.filename, line=one.line, function=one.name, code=code, whose=whose)

    def _with_native(self, stack: Stack) -> Stack:
        number = self.numbers.get((stack.pid, stack.thread), 0)
        return msgspec.structs.replace(stack, native=self.inside.get((stack.pid, number), ()))


def _ended(process: subprocess.Popen[bytes], deadline: Deadline) -> tuple[bytes, bytes]:
    """Wait for what a process prints; nothing where that takes too long."""
    while True:
        try:
            return process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            if not deadline.lasts():
                process.kill()
                process.communicate()
                return b"", b""


def in_mlx(frames: Collection[Frame]) -> bool:
    """Check whether native calls go through MLX."""
    return any(library in frame.file for frame in frames for library in MLX)


def _started(pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(dump_of(pid), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class NativeCalls(msgspec.Struct, frozen=True):
    """The native calls that one thread has made since its innermost Python frame, innermost first."""

    pid: int
    thread: str  # its number as faulthandler writes it
    name: str
    frames: tuple[Frame, ...]


def with_native(stacks: Sequence[Stack], within_s: float = NATIVE_WITHIN_S) -> tuple[Stack, ...]:
    """Return stacks with the native frames of their threads, unchanged where these cannot be read."""
    deadline = time.monotonic() + within_s
    found: list[NativeCalls] = []
    for pid in sorted({one.pid for one in stacks}, reverse=True):  # the youngest says most
        found += native(pid, deadline - time.monotonic())
    return tuple(msgspec.structs.replace(one, native=_of(one, found)) for one in stacks)


def native(pid: int, within_s: float) -> list[NativeCalls]:
    """Read the native calls of one process's threads; none where py-spy is missing, not allowed, or not in time."""
    if not program() or within_s <= 0 or system.stopped(pid):
        return []
    try:
        report = subprocess.run(dump_of(pid), capture_output=True, timeout=within_s, check=True).stdout
        threads = msgspec.json.decode(report, type=list[_Thread])
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError, msgspec.ValidationError):
        return []
    inner = system.inner(pid)
    return [_inside(pid, one, calls_of(inner, one.os_thread_id or 0)) for one in threads]


def calls_of(inner: NativeReader, number: int, tries: int = TRIES) -> Sequence[Native]:
    """Return the native calls of a thread once it is found asleep, in at most `tries` samples."""
    for _ in range(tries):
        if calls := inner.calls(number):
            return calls
        time.sleep(TRY_S if tries > 1 else 0)
    return ()


def _inside(pid: int, thread: _Thread, calls: Iterable[Native]) -> NativeCalls:
    frames = tuple(Frame(file=call.file, line=0, function=call.function) for call in calls)
    return NativeCalls(pid, f"0x{thread.thread_id:016x}", thread.thread_name or "", frames)


def _of(stack: Stack, found: Iterable[NativeCalls]) -> tuple[Frame, ...]:
    mine = (one.frames for one in found if one.pid == stack.pid and stack.thread in (one.thread, one.name))
    return next(mine, ())
