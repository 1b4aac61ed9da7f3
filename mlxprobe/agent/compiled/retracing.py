"""How often compiled functions are traced, against how often they are called."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from types import CodeType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.protocol.facts.compilation import CompiledAnew, TracesCounted

WORTH_TELLING = 5
HALF, FIFTH = 0.5, 0.2
OFTEN = 1.1  # what has been told is revised when there are so many times as many calls
KEPT = 4096
SERIALS = count(1)

Signature = dict[str, Any]


class Traces:
    """Traces and calls of one compiled function, the program's own alone.

    A trace counts where what the function is given is new: inside another transformation MLX runs the Python of a
    compiled function at every call, and traces nothing.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.calls = self.traces = 0
        self._recorder = recorder
        self._serial = next(SERIALS)
        self._site = ("", 0)
        self._known: set[int] = set()
        self._last: Signature = {}
        self._numbers: dict[str, set[Any]] = {}  # of each argument that is one
        self._strides: dict[str, int] = {}  # of each length that varies: what all its differences are multiples of
        self._ranges: dict[str, Range] = {}  # of each length
        self._marks = [(0, 0)]  # calls and traces, at every power of two
        self._revise_at = 0
        self._told = False

    def traced(self, args: Any, kwargs: Any, captured: Any) -> None:
        """The function is being traced for what it is given."""
        signature = dict(described(args, kwargs, captured))
        key = hash(tuple(signature.items()))
        if key in self._known or len(self._known) >= KEPT:
            return
        self._site = self._site if self._known else call_site.calling()
        self._known.add(key)
        self.traces += 1
        for path, one in signature.items():
            if static.is_a(one, tuple):
                self._compare_lengths(path, one, self._last.get(path, one))
            elif type(one) in (int, float):
                self._numbers.setdefault(path, set()).add(one)
        self._last = signature

    @property
    def site(self) -> tuple[str, int]:
        """The line that called the function when it was first traced."""
        return self._site

    @property
    def room(self) -> int:
        """How many traces there will be at the most, of lengths within what was seen; 0 where nothing bounds them.

        Lengths that only ever grow have no bounds, and numbers have none.
        """
        if any(len(values) >= WORTH_TELLING for values in self._numbers.values()):
            return 0
        if any(one.records > HALF * self.traces for one in self._ranges.values()):
            return 0
        varying = ((one.most - one.least) // self._strides.get(path, 1) + 1 for path, one in self._ranges.items())
        return max(self.traces, *varying, 1)

    def _compare_lengths(self, path: str, lengths: tuple[Any, ...], before: Any) -> None:
        for axis, (now, then) in enumerate(zip(lengths[:-1], before[:-1], strict=False)):
            key = f"{path}:{axis}"
            if now != then or key in self._ranges:
                self._ranges.setdefault(key, Range(then)).take(now)
            if now != then:
                self._strides[key] = math.gcd(self._strides.get(key, 0), now - then)

    def called(self) -> None:
        """The program has called the function."""
        self.calls += 1
        if self.traces >= WORTH_TELLING and self.calls >= self._revise_at:
            self._revise()
        if self.calls & (self.calls - 1) == 0:
            self._marks.append((self.calls, self.traces))

    def _revise(self) -> None:
        """Tell how many of the later half of the calls were traced, or that it has become better since."""
        self._revise_at = int(OFTEN * self.calls) + 1
        calls, traces = next(mark for mark in reversed(self._marks) if mark[0] <= HALF * self.calls)
        late_calls, late_traces = self.calls - calls, self.traces - traces
        numbers = [path for path, values in self._numbers.items() if len(values) >= WORTH_TELLING]
        if late_traces < (FIFTH if numbers else HALF) * late_calls and not self._told:
            return
        self._told = True
        self._recorder.revise(
            TracesCounted(
                function=self._serial,
                traces=self.traces,
                calls=self.calls,
                late_traces=late_traces,
                late_calls=late_calls,
                numbers=tuple(numbers),
                stride=min(self._strides.values(), default=0),
            ),
            self._site,
        )


class Range:
    """The least and the most that a length was, and how often it was more, or less, than ever before."""

    def __init__(self, first: int) -> None:
        self.least = self.most = first
        self.records = 0

    def take(self, length: int) -> None:
        """Take in a length."""
        self.records += not self.least <= length <= self.most
        self.least, self.most = min(self.least, length), max(self.most, length)


class Made:
    """Functions that one line compiles: how many, at how many steps, and how often they are called."""

    def __init__(self, recorder: Recorder, site: tuple[str, int]) -> None:
        self._recorder = recorder
        self._site = site
        self._steps: set[int] = set()
        self._revise_at = 0
        self._led: list[tuple[CodeType, call_site.Site]] = []  # to the last compilation that was told, innermost first
        self._by = ""
        self.functions = self.calls = 0

    def compiled(self) -> None:
        """The line has compiled another function."""
        self.functions += 1
        if len(self._steps) < WORTH_TELLING:
            self._steps.add(self._recorder.step)
        if len(self._steps) >= WORTH_TELLING and self.functions >= self._revise_at:
            self._revise_at = int(OFTEN * self.functions) + 1
            self._led = [(one.f_code, (one.f_code.co_filename, one.f_lineno)) for _, one in call_site.stack()]
            self._tell()

    def traced(self) -> None:
        """What the line has compiled is called: the function that does both is whose loop it is."""
        if self._led:
            led, self._led = self._led, []
            calling = {one.f_code for _, one in call_site.stack()}
            home = next((site for code, site in led if code in calling), self._site)
            if home != self._site:
                self._by = call_site.brief(home)
                self._tell()

    def _tell(self) -> None:
        self._recorder.revise(CompiledAnew(functions=self.functions, calls=self.calls, by=self._by), self._site)


def key_of(args: Any, kwargs: Any, captured: Any) -> int:
    """Return what calls of one trace have in common."""
    return hash(tuple(dict(described(args, kwargs, captured)).items()))


def described(args: Any, kwargs: Any, captured: Any) -> Iterator[tuple[str, Any]]:
    """List what MLX tells traces apart by: shapes and types of arrays, and the other values themselves."""
    for path, one in lazy_graph.named_leaves([args, kwargs, captured]):
        yield path, (*one.shape, str(one.dtype))
    yield from constants("0", args)
    yield from constants("1", kwargs)


def constants(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """List the values among arguments that are no arrays."""
    if value is None or static.is_a(value, (bool, int, float, str)):
        yield path, value
    elif static.is_a(value, dict):
        for key, one in static.texts(static.entries(value)):
            yield from constants(f"{path}.{key}", one)
    elif static.is_a(value, (list, tuple)):
        for k, one in static.entries(value):
            yield from constants(f"{path}.{k}", one)
