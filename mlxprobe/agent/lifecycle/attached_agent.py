"""The agent in a process that asked for it while it ran: it comes at once, and leaves no wrapper behind."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from mlxprobe.agent.lifecycle import autoload, main
from mlxprobe.agent.lifecycle.agent import Agent
from mlxprobe.agent.lifecycle.autoload import NamedChannel
from mlxprobe.agent.patching import import_hooks
from mlxprobe.agent.patching.patches import Patches
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import EVENTS_FILE
from mlxprobe.system import self_process


class Guest:
    """One stay of the agent: `leave` takes it out again, `finish` is for the end of the process.

    Raises:
        OSError: nobody reads the events.
    """

    trained: ClassVar[dict[int, Callable[[], Any]]] = {}  # during earlier stays, by identity

    def __init__(self, folder: str, supervisor: int) -> None:
        channel = NamedChannel(os.path.join(folder, EVENTS_FILE))
        self_process.allow_tracing(str(supervisor))
        self._patches = Patches()
        Loans.open()
        import_hooks.surround(self._patches.noted)
        with self._patches.noted(*autoload.holders()):
            self.agent = Agent(channel, folder, {})
            autoload.show_tracebacks_without_us()
        self.agent.recorder.trained_before = Guest.trained
        self._settle(channel)

    def _settle(self, channel: Channel) -> None:
        import_hooks.catch_up()
        if "mlx.core" in sys.modules:
            self._patches.spread()
            self.agent.adopt(self._patches)
        channel.send("begin")
        channel.send("body")

    @property
    def is_here(self) -> bool:
        """Whether this is the process that it came to, and no fork of it."""
        return bound.getpid() == self.agent.pid

    def finish(self) -> None:
        """Tell of the end of the process."""
        autoload.finish(self.agent)
        with self.agent.recorder.carefully():
            autoload.release(self.agent, self._patches)

    def leave(self, error: BaseException | None = None) -> None:
        """Tell how what was watched has ended, and leave the process as it was."""
        self.agent.recorder.finish()
        if error is not None:
            autoload.cut(error)
            main.send_exception(error, self.agent.channel)
        else:
            self.agent.channel.send("end")
        known: dict[int, Callable[[], Any]] = {**Guest.trained, **self.agent.recorder.trained.known}
        Guest.trained = {key: one for key, one in known.items() if one() is not None}
        Loans.close()
        self._patches.undo()
        import_hooks.forget()
        self.agent.leave()


_carried: list[Guest] = []  # whom somebody has sent here, while this process ran


def come(folder: str, supervisor: int) -> None:
    """Come as somebody outside has asked (see `supervisor.carrying`); not where another watches already."""
    if not import_hooks.is_watched() and not _carried:
        _carried.append(Guest(folder, supervisor))
        atexit.register(_at_exit)


def go() -> None:
    """Leave again."""
    atexit.unregister(_at_exit)
    while _carried:
        _carried.pop().leave()


def _at_exit() -> None:
    for one in _carried:
        if one.is_here:
            one.finish()
