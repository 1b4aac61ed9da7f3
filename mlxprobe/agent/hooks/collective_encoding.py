"""One collective as it is recorded, and the words in which the supervisor is told of it."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable
from types import CodeType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.encoding import GAP, ends
from mlxprobe.agent.wire.ranks import REDUCING

AT_ONCE = 14  # rows a line: as long as they may be, they fit
LEAF_CHARACTERS = 80  # of a parameter's name, cut alike in every rank
KEPT = 512  # that wait to be told
MOST_SITES = 1000
MOST_KINDS = 1000


class Kind:
    """What many collectives have in common: the group, how it is counted, what it is of, and the lines that led there.

    `lane` counts all of its group, `end` those that are no messages, or those to or from its peer.
    """

    def __init__(self, name: tuple[str, str, int], shape: tuple[int, ...], dtype: Any, lanes: list[list[int]]) -> None:
        self.operation, self.group, self.peer = name
        self.shape, self.dtype = shape, dtype
        self.lane, self.end = lanes
        self.reduces = math.prod(shape) if self.operation in REDUCING else 0  # elements
        self.way: tuple[call_site.Site, ...] = (call_site.NOWHERE,)
        self.codes: list[CodeType] = []  # held, for an identity is only theirs while they live
        self.number = 0  # by which the supervisor knows it


class Row:
    """One collective; `slot` says where it is kept (see `BlackBox`), `news` that it waits to be told."""

    __slots__ = (
        *("begun", "built", "done", "kind", "leaf", "n", "news"),
        *("nth", "passed", "result", "slot", "step", "sure", "traced", "within"),
    )

    def __init__(self, kind: Kind, n: int, step: int, result: Callable[[], Any]) -> None:
        self.kind, self.n, self.step, self.result = kind, n, step, result
        self.built = bound.monotonic()
        self.begun = self.done = 0.0
        self.slot = self.nth = 0
        self.news, self.sure = True, False
        self.passed = self.traced = self.within = False
        self.leaf = ""


class Kinds:
    """The kinds of this process, `known` by what a collective is of and by the instructions that led to it."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Kind] = {}
        self._lanes: dict[str, list[int]] = {}  # how many were built in a group
        self._ends: dict[str | tuple[str, int, bool], list[int]] = {}  # of those, or by peer

    def meet(self, key: tuple[Any, ...]) -> Kind:
        """Return the kind of a collective that the caller's caller has been asked for."""
        operation, group, peer, shape, dtype = key[:5]
        end = group if peer < 0 else (group, peer, operation == "send")
        lanes = [self._lanes.setdefault(group, [0]), self._ends.setdefault(end, [0])]
        made = Kind((operation, group, peer), shape, dtype, lanes)
        made.way, made.codes = call_site.way(3)
        if len(self.known) < MOST_KINDS:
            self.known[key] = made
        return made

    def counts(self) -> dict[str, int]:
        """Return how many collectives were built, by group."""
        return {group: lane[0] for group, lane in list(self._lanes.items())}


class Untold:
    """The last rows that the supervisor has not heard of as they are now."""

    def __init__(self) -> None:
        self.rows: deque[Row] = deque(maxlen=KEPT)

    def add(self, row: Row) -> None:
        """There is news of a row."""
        row.news = True
        self.rows.append(row)

    def take(self) -> list[Row]:
        """Take out the oldest: what the program does with them from now on is news again."""
        found: list[Row] = []
        with contextlib.suppress(IndexError):  # another thread may tell, too
            while len(found) < AT_ONCE:
                row = self.rows.popleft()
                if row.news:
                    row.news = False
                    found.append(row)
        return found

    def put_back(self, rows: list[Row]) -> None:
        """Nobody has heard of rows: keep as many of them as there is room for."""
        back = rows[::-1][: KEPT - len(self.rows)]
        for row in back:
            row.news = True
        self.rows.extendleft(back)


class Words:
    """Tell of places, and of what many collectives have in common, once each."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ways: dict[tuple[call_site.Site, ...], int] = {}
        self._kinds = 0
        self._types: dict[Any, str] = {}

    def row(self, one: Row, now_s: float) -> list[Any]:
        """Return a row of the event `collectives`."""
        times = [ago(each, now_s) for each in (one.built, one.begun, one.done)]
        kind, place = one.kind, self._place(one.kind.way)
        what = kind.group, one.n, kind.operation, kind.shape, self._type(kind.dtype), kind.peer, one.step, place
        flags = int(one.sure), int(one.traced), int(one.passed), int(one.within)
        return [*what, *times, one.nth, ends(one.leaf, LEAF_CHARACTERS, GAP), *flags]

    def kind(self, one: Kind) -> int:
        """Return the number of a kind, which is told once; 0 where there are too many."""
        if not one.number and self._kinds < MOST_KINDS:
            self._kinds = one.number = self._kinds + 1
            told: dict[str, Any] = {name: getattr(one, name) for name in ("group", "operation", "peer", "shape")}
            self._channel.send("kind", i=one.number, **told, dtype=self._type(one.dtype), site=self._place(one.way))
        return one.number

    def _type(self, dtype: Any) -> str:
        return self._types.get(dtype) or self._types.setdefault(dtype, str(dtype).rpartition(".")[2])

    def _place(self, way: tuple[call_site.Site, ...]) -> int:
        """Return the number of the lines that led to a collective, which are told once."""
        known = self._ways.get(way)
        if known is None and len(self._ways) < MOST_SITES:
            known = self._ways[way] = len(self._ways)
            self._channel.send("site", i=known, **call_site.told(way[0]), way=call_site.led(way))
        return -1 if known is None else known


def ago(moment_s: float, now_s: float) -> int | None:
    """Return the microseconds since a moment; None where there was none."""
    return round(1e6 * (now_s - moment_s)) if moment_s else None
