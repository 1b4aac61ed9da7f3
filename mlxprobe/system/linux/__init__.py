"""Linux: /proc tells of every thread, and nobody is stopped or asked for it.

What a start need not wait for is imported where it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from mlxprobe.system import OF_LINUX
from mlxprobe.system.interface import RUNNING, STOPPED, Awaited, Thread, Times
from mlxprobe.system.linux import processes, threads
from mlxprobe.system.linux.procfs import target

if TYPE_CHECKING:
    import psutil

    from mlxprobe.system.linux.native_stacks import Memory


class Linux:
    """See `Platform`."""

    name = OF_LINUX
    knows_threads = True

    def descendants(self, pid: int) -> list[int]:
        return processes.descendants(pid)

    def threads(self, pids: Iterable[int], but: Collection[str] = ()) -> list[Thread]:
        return threads.threads(pids, but)

    def any_ready(self, pids: Iterable[int], numbers: Iterable[str]) -> bool:
        return threads.any_ready(pids, numbers)

    def runs(self, pid: int) -> bool:
        return any(one.state == RUNNING for one in threads.threads([pid]))

    def stopped(self, pid: int) -> bool:
        return any(one.state in STOPPED for one in threads.threads([pid]))

    def times(self, pid: int, but: Collection[str] = ()) -> dict[int, Times]:
        return threads.times(pid, but)

    def slept_s(self, found: Iterable[Thread]) -> dict[tuple[int, int], float]:
        return threads.slept_s(found)

    def resident_bytes(self, process: psutil.Process) -> int:
        return int(process.memory_info().rss)

    def swap_bytes(self, pid: int) -> int:
        return processes.swap_bytes(pid)

    def pages_read(self, pid: int) -> int:
        return processes.pages_read(pid)

    def handles(self, pid: int, number: int, like: int = 0) -> bool:
        return processes.handles(pid, number)

    def is_fork(self, pid: int, parents: Collection[int]) -> bool:
        return processes.is_fork(pid, parents)

    def environment(self, pid: int) -> dict[str, str]:
        return processes.environment(pid)

    def command(self, pid: int) -> list[str]:
        return processes.command(pid)

    def program(self, pid: int) -> str:
        return target(f"/proc/{pid}/exe")

    def mapped(self, pid: int) -> list[str]:
        return processes.mapped(pid)

    def stderr(self, pid: int) -> str:
        return f"/proc/{pid}/fd/2"

    def queues(self, pid: int) -> dict[str, tuple[int, int]]:
        return processes.queues(pid)

    def inner(self, pid: int) -> Memory:
        from mlxprobe.system.linux.native_stacks import Memory

        return Memory(pid)

    def outside(self, found: Sequence[Thread], soon_s: float, lines: Collection[str] = ()) -> str:
        from mlxprobe.system.linux.waits import outside

        return outside(found, soon_s)

    def awaited(self, thread: Thread, pids: Collection[int], line: str = "") -> Awaited:
        from mlxprobe.system.linux.awaited import awaited

        return awaited(thread, pids)

    def readable(self, pid: int) -> bool:
        return processes.readable(pid)

    def forbidden(self, pids: Sequence[int]) -> str:
        from mlxprobe.system.linux.permissions import forbidden

        return forbidden(pids)

    def memory_bytes(self) -> int:
        from mlxprobe.system.linux.memory import memory_bytes

        return memory_bytes()

    def available_bytes(self) -> int:
        from mlxprobe.system.linux.memory import available_bytes

        return available_bytes()

    def gaps(self) -> list[str]:
        return []
