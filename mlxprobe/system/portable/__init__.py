"""Any POSIX system, as ps(1) and psutil show it. It runs on Linux too, where `MLXPROBE_PLATFORM=portable` asks for it.

The part for macOS alone is `mac`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Generic, TypeVar

from mlxprobe.system import MAC, PORTABLE
from mlxprobe.system.interface import Awaited, Native, Thread, Times

if TYPE_CHECKING:
    import psutil

    from mlxprobe.system.portable.states import States

T = TypeVar("T")
FRESH_S = 0.01  # one answer serves all processes that are sampled together


class CachedAnswer(Generic[T]):
    """An answer that holds for as long as it took to get: asking takes half of our time at the most."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._known: tuple[T, float] | None = None  # and until when it holds

    def now(self) -> T:
        """Return the answer."""
        began_s = time.monotonic()
        if self._known is None or began_s > self._known[1]:
            found, ended_s = self._ask(), time.monotonic()
            self._known = found, ended_s + max(FRESH_S, ended_s - began_s)
        return self._known[0]


class WithoutNativeCalls:
    """A process whose native calls cannot be read without stopping it."""

    def calls(self, number: int) -> Sequence[Native]:
        return ()


class Portable:
    """See `Platform`."""

    name = PORTABLE
    knows_threads = False

    def __init__(self) -> None:
        self._known: States | None = None
        self._below: dict[int, CachedAnswer[list[int]]] = {}

    @property
    def _states(self) -> States:
        from mlxprobe.system.portable.states import States  # what a start does not wait for

        self._known = self._known or States()
        return self._known

    def descendants(self, pid: int) -> list[int]:
        from mlxprobe.system.portable.states import below

        return self._below.setdefault(pid, CachedAnswer(lambda: below(pid))).now()

    def threads(self, pids: Iterable[int], but: Collection[str] = ()) -> list[Thread]:
        return self._states.threads(pids)

    def any_ready(self, pids: Iterable[int], numbers: Iterable[str]) -> bool:
        return False

    def runs(self, pid: int) -> bool:
        return self._states.runs(pid)

    def stopped(self, pid: int) -> bool:
        from mlxprobe.system.portable.states import stopped

        return stopped(pid)

    def times(self, pid: int, but: Collection[str] = ()) -> dict[int, Times]:
        from mlxprobe.system.portable.states import cpu_seconds

        return {pid: Times(int(1e9 * cpu_seconds(pid)), int(1e9 * self._states.waited_s(pid)))}

    def slept_s(self, threads: Iterable[Thread]) -> dict[tuple[int, int], float]:
        return {}

    def resident_bytes(self, process: psutil.Process) -> int:
        if MAC:
            from mlxprobe.system.portable.mac import footprint_bytes

            if found := footprint_bytes(process.pid):
                return found
        return int(process.memory_info().rss)

    def swap_bytes(self, pid: int) -> int:
        return 0

    def pages_read(self, pid: int) -> int:
        return _asked(pid, lambda one: int(getattr(one.memory_info(), "pageins", 0)), 0)  # macOS's psutil has them

    def handles(self, pid: int, number: int, like: int = 0) -> bool:
        if self.stopped(pid):
            return False
        return self.command(pid) == self.command(like) if like else "python" in PurePath(self.program(pid)).name.lower()

    def is_fork(self, pid: int, parents: Collection[int]) -> bool:
        parent = _asked(pid, lambda one: int(one.ppid()), 0)
        return parent in parents and self.command(pid) == self.command(parent)

    def environment(self, pid: int) -> dict[str, str]:
        return _asked(pid, lambda one: dict(one.environ()), {})

    def command(self, pid: int) -> list[str]:
        return _asked(pid, lambda one: list(one.cmdline()), [])

    def program(self, pid: int) -> str:
        return _asked(pid, lambda one: str(one.exe()), "")

    def mapped(self, pid: int) -> list[str]:
        return []

    def stderr(self, pid: int) -> str:
        return _asked(pid, lambda one: next((str(file.path) for file in one.open_files() if file.fd == 2), ""), "")

    def queues(self, pid: int) -> dict[str, tuple[int, int]]:
        return {}

    def inner(self, pid: int) -> WithoutNativeCalls:
        return WithoutNativeCalls()

    def outside(self, threads: Sequence[Thread], soon_s: float, lines: Collection[str] = ()) -> str:
        from mlxprobe.system.portable.waits import outside

        return outside({one.pid for one in threads}, soon_s, lines) if threads else ""

    def awaited(self, thread: Thread, pids: Collection[int], line: str = "") -> Awaited:
        from mlxprobe.system.portable.waits import awaited

        return awaited(thread, line)

    def readable(self, pid: int) -> bool:
        return True

    def forbidden(self, pids: Sequence[int]) -> str:
        why = "macOS lets root alone read other processes: run this with sudo" if MAC else "run this as root"
        return f"no stacks of process {', '.join(map(str, pids))}: {why}"

    def memory_bytes(self) -> int:
        import psutil  # a start need not wait for it

        return int(psutil.virtual_memory().total)

    def available_bytes(self) -> int:
        import psutil

        return int(psutil.virtual_memory().available)

    def gaps(self) -> list[str]:
        found = [
            "what detaches itself with an environment of its own can escape: only Linux lets parents adopt orphans"
        ]
        if MAC:
            found.insert(0, "Metal: mlxprobe was written for it from the documentation and has never been run on it")
            found.append("a program that the system protects, such as /bin/sleep, hides its environment: it escapes")
        return found


def _asked(pid: int, question: Callable[[psutil.Process], T], otherwise: T) -> T:
    """Ask psutil of a process; where it has ended or may not be read, there is another answer."""
    import psutil

    try:
        return question(psutil.Process(pid))
    except (psutil.Error, OSError):
        return otherwise
