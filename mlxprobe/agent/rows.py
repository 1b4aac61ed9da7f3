"""One collective as it is recorded, and the words in which the supervisor is told of it."""

from __future__ import annotations

import time
from typing import Any

from mlxprobe.agent import sites
from mlxprobe.agent.channel import Channel

MOST_SITES = 1000
MOST_KINDS = 1000


class Row:
    """One collective; `slot` says where it is kept (see `BlackBox`)."""

    __slots__ = (
        *("begun", "built", "done", "group", "leaf", "n", "nth", "operation", "passed"),
        *("peer", "shape", "slot", "step", "sure", "traced", "way"),
    )

    def __init__(self, group: str, n: int, operation: str, shape: tuple[tuple[int, ...], Any], peer: int) -> None:
        self.group, self.n, self.operation, self.shape, self.peer = group, n, operation, shape, peer
        self.way: tuple[sites.Site, ...] = (sites.NOWHERE,)
        self.step, self.leaf = 0, ""
        self.built = time.monotonic()
        self.begun = self.done = 0.0
        self.slot = self.nth = 0
        self.sure = self.traced = self.passed = False


class Words:
    """Tell of places, and of what many collectives have in common, once each."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ways: dict[tuple[sites.Site, ...], int] = {}
        self._kinds: dict[tuple[Any, ...], tuple[int, Any]] = {}
        self._types: dict[Any, str] = {}

    def row(self, one: Row, now_s: float) -> list[Any]:
        """Return a row of the event `collectives`."""
        times = [ago(each, now_s) for each in (one.built, one.begun, one.done)]
        place, shape, kind = self._place(one.way), one.shape[0], self._type(one)
        how = one.sure, one.traced, one.nth, one.passed, one.leaf
        return [one.group, one.n, one.operation, shape, kind, one.peer, one.step, place, *times, *how]

    def kind(self, one: Row) -> int:
        """Return the number of what a collective has in common with others; 0 where there are too many."""
        key = one.group, one.operation, one.shape, one.peer, id(one.way)
        known = self._kinds.get(key)
        if known is None and len(self._kinds) < MOST_KINDS:
            known = self._kinds[key] = len(self._kinds) + 1, one.way  # held, for its identity is in the key
            told = {name: getattr(one, name) for name in ("group", "operation", "peer")}
            told |= {"shape": one.shape[0], "dtype": self._type(one), "site": self._place(one.way)}
            self._channel.send("kind", i=known[0], **told)
        return known[0] if known else 0

    def _type(self, one: Row) -> str:
        dtype = one.shape[1]
        return self._types.get(dtype) or self._types.setdefault(dtype, str(dtype).rpartition(".")[2])

    def _place(self, way: tuple[sites.Site, ...]) -> int:
        """Return the number of the lines that led to a collective, which are told once."""
        known = self._ways.get(way)
        if known is None and len(self._ways) < MOST_SITES:
            known = self._ways[way] = len(self._ways)
            self._channel.send("site", i=known, **sites.told(way[0]), way=sites.led(way))
        return -1 if known is None else known


def ago(moment_s: float, now_s: float) -> int | None:
    """Return the microseconds since a moment; None where there was none."""
    return round(1e6 * (now_s - moment_s)) if moment_s else None
