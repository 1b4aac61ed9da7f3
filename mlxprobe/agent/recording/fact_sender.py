"""What is told beside steps and losses: facts, each with its place."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import QUIETLY, let_through
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.updates import NothingTrainable
from mlxprobe.protocol.facts.work import DetectorFailed

MESSAGE_CHARACTERS = 200  # of an exception
_arguments = BaseException.__dict__["args"].__get__


class InForkError(Exception):
    """We evaluate nothing in a fork of a process that has evaluated: it might never end."""


def deaf(*_: Any) -> None:
    """Take in nothing."""


class Facts:
    """Tell facts, until the program's body has ended."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.freeze_site = call_site.NOWHERE  # where the program has frozen something last
        self.idle_unfreeze = call_site.NOWHERE  # that has opened nothing since
        self.set_site = call_site.NOWHERE  # and where it has set parameters before the first gradient
        self.set_sites: dict[int, call_site.Site] = {}  # or a module's, by identity, at a step that is looked at
        self.beside: dict[int, Callable[[], Any]] = {}  # models of a trained one's class that are called, by identity
        self.in_losses: dict[int, Callable[[], Any]] = {}  # those that a gradient call calls
        self.fed: Callable[[Any], None] = lambda _: None  # told of what a trained model is called with, for no gradient
        self.reduced: Callable[[Any], None] | None = None  # told of all gradients, where there are several ranks
        self.heard: Callable[[Any, Any], None] = deaf  # to be given each array that is read, with its value
        self._facts: dict[tuple[type[Fact], str, int], int] = {}
        self._over = False

    @property
    def step(self) -> int:
        """The step under way."""
        raise NotImplementedError

    def fact(self, fact: Fact, site: tuple[str, int] | None = None) -> None:
        """Send a fact with its place; at one place only the first, second, fourth … time. It raises nothing of ours."""
        if self._over:
            return
        try:
            file, line = site or call_site.calling()
            key = (type(fact), file, line)
            count = self._facts[key] = self._facts.get(key, 0) + 1
            if count & (count - 1) == 0:
                self._send(fact, (file, line), count)
        except Exception as error:
            let_through(error)
            with QUIETLY:  # a failure to report a failure cannot be reported
                self._send(DetectorFailed(detector="agent", error=brief(error)), call_site.NOWHERE)

    def nothing_trainable(self, seen_at: tuple[str, int]) -> None:
        """Tell of a model that is all frozen, where that was done."""
        site, seen = call_site.blamed(self.freeze_site, seen_at)
        self.fact(NothingTrainable(seen=seen, idle=call_site.brief(self.idle_unfreeze)), site)

    def revise(self, fact: Fact, site: tuple[str, int]) -> None:
        """Send a fact that may be told again, and then otherwise: the last is what holds."""
        if not self._over:
            with self.carefully():
                self._send(fact, site)

    def _send(self, fact: Fact, site: tuple[str, int], count: int = 1) -> None:
        self.channel.tell(fact, call_site.told(site), step=self.step, count=count)

    @contextlib.contextmanager
    def carefully(self) -> Iterator[None]:
        """Keep what we fail at from the program; what its own signal handlers raise goes on."""
        try:
            yield
        except Exception as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Report a failure of ours whose cost is unknown; the program goes on.

        Raises:
            Exception: the given one, where it comes from outside (see `interrupts`) and is the program's.
        """
        try:
            let_through(error)
            with QUIETLY:
                if not isinstance(error, InForkError):
                    self.fact(DetectorFailed(detector="agent", error=brief(error)))
        finally:
            del error  # its traceback holds this call, and so itself

    def lost(self, part: str, error: Exception, facts: Iterable[str]) -> bool:
        """Report a part of ours that has failed, with the names of the facts that are missing from now on.

        Return whether it has failed: what stops because this is a fork has not.

        Raises:
            Exception: the given one, where it comes from outside and is the program's.
        """
        try:
            let_through(error)
            if isinstance(error, InForkError):
                return False
            self.revise(DetectorFailed(detector=part, error=brief(error), facts=(*facts,)), call_site.NOWHERE)
        finally:
            del error
        return True


def is_plain(error: BaseException | None) -> bool:
    """Check whether Python alone writes an error's message: neither its class nor its arguments compute it."""
    if error is None or static.is_a(static.static(type(error), "__str__"), FunctionType):
        return False
    return all(type(one) in static.SIMPLE for one in _arguments(error))


def brief(error: BaseException | None, most: int = MESSAGE_CHARACTERS, *, kind: bool = True) -> str:
    """Return the beginning of an error's message, with its `kind`.

    Of an error whose message the program itself computes the kind alone: a program that counts its calls, or prints,
    would show the call.
    """
    name = type(error).__name__
    if not is_plain(error):
        return name if kind else ""
    try:
        return (f"{name}: {error}" if kind else str(error))[:most]
    except Exception as failure:
        let_through(failure)
        return name if kind else ""
