"""Linux: /proc describes every thread without stopping it.

Modules that a start need not wait for are imported late.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from mlxprobe.system import OF_LINUX
from mlxprobe.system.interface import RUNNING, STOPPED, Awaited, Thread
from mlxprobe.system.linux import processes
from mlxprobe.system.linux import threads as kernel_threads
from mlxprobe.system.linux.procfs import target

if TYPE_CHECKING:
    import psutil

    from mlxprobe.system.linux.native_stacks import Memory


class Linux:
    """See `Platform`."""

    name = OF_LINUX
    knows_threads = True
    descendants = staticmethod(processes.descendants)
    threads = staticmethod(kernel_threads.threads)
    any_ready = staticmethod(kernel_threads.any_ready)
    times = staticmethod(kernel_threads.times)
    slept_s = staticmethod(kernel_threads.slept_s)
    swap_bytes = staticmethod(processes.swap_bytes)
    pages_read = staticmethod(processes.pages_read)
    handles = staticmethod(processes.handles)
    is_fork = staticmethod(processes.is_fork)
    environment = staticmethod(processes.environment)
    command = staticmethod(processes.command)
    mapped = staticmethod(processes.mapped)
    queues = staticmethod(processes.queues)
    readable = staticmethod(processes.readable)

    def runs(self, pid: int) -> bool:
        return any(one.state == RUNNING for one in kernel_threads.threads([pid]))

    def stopped(self, pid: int) -> bool:
        return any(one.state in STOPPED for one in kernel_threads.threads([pid]))

    def resident_bytes(self, process: psutil.Process) -> int:
        return int(process.memory_info().rss)

    def program(self, pid: int) -> str:
        return target(f"/proc/{pid}/exe")

    def stderr(self, pid: int) -> str:
        return f"/proc/{pid}/fd/2"

    def inner(self, pid: int) -> Memory:
        from mlxprobe.system.linux.native_stacks import Memory

        return Memory(pid)

    def outside(self, found: Sequence[Thread], soon_s: float, lines: Collection[str] = ()) -> str:
        from mlxprobe.system.linux.wait_reason import outside

        return outside(found, soon_s)

    def awaited(self, thread: Thread, pids: Collection[int], line: str = "") -> Awaited:
        from mlxprobe.system.linux.wait_reason import awaited

        return awaited(thread, pids)

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
