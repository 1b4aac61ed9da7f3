"""The interface through which processes are read from outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import psutil

ASLEEP, RUNNING = "S", "R"
READY = "RD"  # on a processor, waiting for one, or for a disk
STOPPED = "tT"


class Thread(NamedTuple):
    """A thread at one look; `switches` counts how often it has left a processor."""

    pid: int
    number: int
    state: str
    switches: int
    tracer: int


class Times(NamedTuple):
    """What a thread has used of processors, and for how long it has waited for one."""

    used_ns: int
    waited_ns: int


class Native(NamedTuple):
    """A call of native code: the library, and the function in it."""

    file: str
    function: str


class Awaited(NamedTuple):
    """In words what a thread sleeps for; `outer` where it is not in the hands of the tree alone."""

    words: str = ""
    outer: bool = False


class NativeReader(Protocol):
    """A process whose native calls are read without a stop."""

    def calls(self, number: int) -> Sequence[Native]:
        """Return the native calls of a thread that sleeps, innermost first, up to Python's; none of one that runs."""


class Platform(Protocol):
    """The queries of the supervisor to a system. What a system does not offer is empty, 0 or None."""

    name: str
    knows_threads: bool  # one by one; else a process counts as one, with its own number

    def descendants(self, pid: int) -> list[int]:
        """List the processes below one."""

    def threads(self, pids: Iterable[int], but: Collection[str] = ()) -> list[Thread]:
        """List the living threads of some processes, without some by their numbers."""

    def any_ready(self, pids: Iterable[int], numbers: Iterable[str]) -> bool:
        """Check whether any of these threads runs or is about to; what is no thread of these processes is not."""

    def runs(self, pid: int) -> bool:
        """Check whether any thread of a process is on a processor, or waits for one."""

    def stopped(self, pid: int) -> bool:
        """Check whether a process is stopped."""

    def times(self, pid: int, but: Collection[str] = ()) -> dict[int, Times]:
        """Return what each thread of a process has used of processors and waited for them, without some."""

    def slept_s(self, threads: Iterable[Thread]) -> dict[tuple[int, int], float]:
        """Return for how long threads have slept, by process and number; unknown ones are left out."""

    def resident_bytes(self, process: psutil.Process) -> int:
        """Return the memory that a process holds."""

    def swap_bytes(self, pid: int) -> int:
        """Return how much of a process is in swap."""

    def pages_read(self, pid: int) -> int:
        """Return how many pages the system has fetched for a process from a disk or from swap."""

    def handles(self, pid: int, number: int, like: int = 0) -> bool:
        """Check whether a process takes a signal and can answer: it has a handler, and is not stopped.

        Args:
            pid: the process, in which there was a handler once.
            number: the signal.
            like: of a fork, the process that it is a copy of, unless it has become another program.
        """

    def is_fork(self, pid: int, parents: Collection[int]) -> bool:
        """Check whether a process is a copy of one of these that runs no program of its own."""

    def environment(self, pid: int) -> Mapping[str, str]:
        """Return the environment that a process was started with."""

    def command(self, pid: int) -> Sequence[str]:
        """Return the words that a process was started with."""

    def program(self, pid: int) -> str:
        """Return the file that a process runs."""

    def mapped(self, pid: int) -> Sequence[str]:
        """List the files that a process has mapped: its program, its libraries, devices."""

    def stderr(self, pid: int) -> str:
        """Return a name by which the file can be opened that a process has as its stderr."""

    def queues(self, pid: int) -> dict[str, tuple[int, int]]:
        """Return the unsent and unread bytes of the connections that a process sees, by their ports `here>there`."""

    def inner(self, pid: int) -> NativeReader:
        """Return a reader of a process's native calls, which does not stop it."""

    def outside(self, threads: Sequence[Thread], soon_s: float, lines: Collection[str] = ()) -> str:
        """Say what from outside the tree any of its sleeping threads waits for.

        Args:
            threads: all of the tree's.
            soon_s: a sleep that ends by then is such a wait too: it is no hang.
            lines: their innermost lines of Python, where the system reports nothing.
        """

    def awaited(self, thread: Thread, pids: Collection[int], line: str = "") -> Awaited:
        """Say what a thread sleeps for.

        Args:
            thread: as it was seen.
            pids: the processes of the tree; a pipe between two of them is the tree's own.
            line: its innermost line of Python, where the system reports nothing.
        """

    def readable(self, pid: int) -> bool:
        """Check whether the system lets us read what a process holds, which py-spy needs too."""

    def forbidden(self, pids: Sequence[int]) -> str:
        """Say why processes may not be read, and what is needed."""

    def memory_bytes(self) -> int:
        """Return the memory that this machine, or the container around us, may use."""

    def available_bytes(self) -> int:
        """Return the memory that a program can still get here without swap."""

    def gaps(self) -> list[str]:
        """Say what cannot be seen here that can be on Linux."""
