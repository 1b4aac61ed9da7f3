"""What a suspicion asks: of who is silent, of who takes stacks, and of what is known of a tree's processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from mlxprobe.schema.observation import Stack
from mlxprobe.supervisor.rank_cpu import Spent


class Begun(Protocol):
    """Who is silent: a child that we have started, or a process that ran already."""

    started_s: float
    printed_bytes: int


class Taker(Protocol):
    """Who takes stacks: an agent's, or those that are read from outside."""

    def take(self, programs: Mapping[int, Iterable[int]], *, final: bool = False) -> tuple[Stack, ...]:
        """Return the stacks of those that answered."""


class Members(Protocol):
    """What is known of a tree's processes beside what the system tells."""

    @property
    def own_threads(self) -> Collection[str]:
        """The threads that do not count."""

    @property
    def above(self) -> Collection[int]:
        """The processes that only wait for others."""

    @property
    def on_gpu(self) -> bool:
        """Whether any computes where no system tells how busy it is."""

    def crew(self) -> Mapping[int, Spent]:
        """Look at the processes of a group of several ranks."""

    def asked(self, living: Collection[int]) -> Mapping[int, Iterable[int]]:
        """Return whom to ask for stacks, each with its forks."""
