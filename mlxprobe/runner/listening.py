"""Who hears of programs as they run."""

from __future__ import annotations

from typing import Protocol

from mlxprobe.schema.record import ProgramRecord
from mlxprobe.supervisor.event_log import EventLog


class Listener(Protocol):
    """Who wants to hear of programs as they run; called from the threads that watch them."""

    def started(self, name: str) -> None:
        """A program starts."""

    def moved(self, name: str, what: str) -> None:
        """A program was polled; `what` says what it does."""

    def ended(self, name: str, row: ProgramRecord) -> None:
        """A program has its verdict."""


def doing(log: EventLog, silent_s: float) -> str:
    """Say in a few words what a program does."""
    if not log.begun:
        return "starting"
    loss = f", loss {log.losses[-1].value:.3f}" if log.losses else ""
    silent = f", silent for {silent_s:.1f} s" if silent_s > 0.3 else ""
    return f"step {log.step}{loss}{silent}"
