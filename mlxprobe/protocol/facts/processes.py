"""Facts about the processes and threads of a program."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class AnotherProcess(Fact):
    """Another process of the program has imported MLX."""

    pid: int


class ArrayOfAnotherThread(Fact):
    """An array is evaluated in another thread than the one that made it."""

    message: str
    seen: str = ""


class ChildEnded(Fact):
    """A child process has ended."""

    pid: int
    status: int
    worker: bool = False
    name: str = ""


class Children(Fact):
    """How many children a process has started."""

    children: int


class FatalError(Fact):
    """A process has ended by a fatal error."""

    error: str


class Fork(Fact):
    """A fork of a process that has evaluated evaluates."""

    evaluations: int
    pid: int
    at: str


class Forked(Fact):
    """A process that has evaluated on a GPU was forked; this is said by the new process."""

    evaluations: int
    pid: int


class LeftRunning(Fact):
    """A process was left running when the program ended."""

    pid: int
    command: str


class Nonsense(Fact):
    """Lines came that make no sense; this is the first."""

    line: str


class OnMetal(Fact):
    """The program's default device is a Mac's GPU."""


class PoolWorker(Fact):
    """The process works for a pool."""


class ProcessesLeftOut(Fact):
    """Processes of which nothing was taken in."""


class RemoteRank(Fact):
    """A rank was started on another host."""

    host: str
    rank: int
    command: str


class ThreadEnded(Fact):
    """A thread has ended by an exception."""

    thread: str
    type: str
    message: str
