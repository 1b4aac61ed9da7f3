"""Loops that one gradient call unrolls: operators, the chain that they make, and evaluations that free nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.inspectors.models import train_eval_mode
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.work import EvaluatedWithin, HugeGraph

MANY = 1000  # operators of one function, in a gradient call: it has a loop
UNROLLED = 12_000  # operators in one gradient call, in code that is not MLX's: no network is written in so many
CHAIN = 3000  # operations one after the other: no network is so deep
A_TURN = 100  # operators for each element of the data's longest axis: more than a hand-written recurrent cell takes
A_LINK = 60  # operations one after the other, for each part of the data that a loop takes
EVALUATED = 64  # times at one line of a gradient call
LOOKS = 2
PARAMETERS = 32  # by which it is told whether an array is an activation


class Unrolled:
    """Count what the user's functions do within one gradient call that is looked at."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._described: Counter[CodeType] = Counter()  # operators, by the code that uses them
        self._evaluated: Counter[tuple[CodeType, int]] = Counter()  # to no end
        self._last: list[Any] = []  # one of what they were of
        self._longest = self._takes = 0  # axis of what has been indexed, and how often anything was
        self._loop = call_site.NOWHERE  # that has used so many operators
        self._chain = 0  # the longest of a loss
        self._looks = self._idle = 0  # that have found such a loop, or such evaluations
        self._huge: tuple[int, int, tuple[str, int]] | None = None  # operators, bytes given, and where

    def begin(self) -> None:
        """A gradient call begins."""
        self._described.clear()
        self._evaluated.clear()
        self._longest, self._takes = 1, 0

    def describe(self, code: CodeType) -> None:
        """An operator is used by some code."""
        self._described[code] += 1
        if self._described[code] == MANY:
            self._loop = train_eval_mode.loop() or call_site.NOWHERE

    def take(self, array: Any, part: Any) -> None:
        """A part of an array is taken, or all its parts in turn."""
        self._longest = max(self._longest, *array.shape, 1)
        self._takes += array.shape[0] if static.has(part, "__next__") else 1

    def evaluation(self, original: Callable[..., None], listens: Callable[[], bool]) -> Callable[..., None]:
        """Count evaluations of what a gradient is taken through."""

        def evaluate(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            if listens():
                frame = bound.frame(1)
                place = frame.f_code, frame.f_lineno
                self._evaluated[place] += 1
                if self._evaluated[place] == EVALUATED:
                    self._last = lazy_graph.leaves(list(args))[:1]

        return evaluate

    def weigh(self, call: Call) -> None:
        """See whether the call has unrolled a loop; what its graph needs is known once it has been computed."""
        described, self._described = self._described, Counter()
        count = sum(many for code, many in described.items() if call_site.is_users(code.co_filename))
        given = lazy_graph.leaves([call.parameters, call.data])
        longest = max((length for one in lazy_graph.leaves(call.data) for length in one.shape), default=1)
        self._huge, last, self._last = None, self._last, []
        if not any(depends(one, lazy_graph.leaves(call.parameters)) for one in last):
            self._evaluated.clear()
        self._chain = max(self._chain, self._inspection.view.longest_chain)
        deep = self._chain >= CHAIN
        links = deep and count >= MANY and self._chain >= A_LINK * max(self._takes, turns(call.data))
        if links or count >= max(CHAIN if deep else UNROLLED, A_TURN * max(longest, self._longest)):
            self._looks += 1
            self._huge = count, sum(one.nbytes for one in given), call.site

    def tell(self) -> None:
        """Tell of both, at the second look."""
        recorder, huge, self._huge = self._inspection.recorder, self._huge, None
        if huge is not None and self._looks == LOOKS:
            mx = sys.modules["mlx.core"]
            peak = int(mx.get_peak_memory()) if hasattr(mx, "get_peak_memory") else 0
            operators, given, shown = huge
            site, seen = call_site.blamed(self._loop, shown)
            recorder.fact(HugeGraph(operators=operators, given_bytes=given, peak_bytes=peak, seen=seen), site)
        evaluated, self._evaluated = self._evaluated, Counter()
        for (code, line), count in evaluated.most_common(1):
            if count >= EVALUATED and call_site.is_users(code.co_filename):
                self._idle += 1
                if self._idle == LOOKS:
                    recorder.fact(EvaluatedWithin(times=count), (code.co_filename, line))


def turns(data: Any) -> int:
    """Return how long a loop over data may be, that does not go over the rows of a batch."""
    shapes = [list(one.shape) for one in lazy_graph.leaves(data) if one.ndim > 1]
    rows = shapes[0][0] if shapes else 0
    for one in shapes:
        one.remove(rows if rows in one else one[0])
    return max((length for one in shapes for length in one), default=1)


def depends(array: Any, parameters: list[Any]) -> bool:
    """Tell whether a pending array is computed from any of some parameters."""
    named = {f"p{k}": one for k, one in enumerate(parameters[:PARAMETERS])}
    drawn = LossGraph(lazy_graph.dot(loss=array, **named), frozenset(named))
    return drawn.found and any(drawn.reaches(name) for name in named)
