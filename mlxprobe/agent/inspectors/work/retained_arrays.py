"""Arrays that the program keeps, unevaluated, from step to step: lists of losses, running sums."""

from __future__ import annotations

import copy
import linecache
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.code_ownership import OWN, PACKAGE
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.waiting import EVERY
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.memory import ContainerGrows, GraphRetained

LISTED = 200  # of a long list, the last are enough to see it grow
LONG = 10_000
FEW = 32
NAMES = 200
RISES_ARE_SURE = 5
FELL_SHORT = 0.5  # of what would have been added since the last look
MICRO_BATCHES = 32  # gradient calls before the first update
DEEPEST = 4

Key = tuple[str, str, str]  # what, function and name
Suspect = tuple[list[Any], float]
Site = tuple[str, int]


class Retained(Inspector):
    """Count the pending operations behind each variable of the user's frames; one that grows keeps its graph."""

    emits = (ContainerGrows, GraphRetained)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._trends: dict[Key, Trend] = {}
        self._suspects: dict[Key, Suspect] = {}  # what they held a step ago, and their rise per step
        self._windows: dict[Key, Window] = {}  # of reported variables, which may still be read and reset

    def look(self, step: int) -> None:
        recorder = self.inspection.recorder
        if step <= MICRO_BATCHES and not recorder.applied:
            return  # the gradients of an update are summed, as it may turn out
        suspects, self._suspects = self._suspects, {}
        if recorder.lazy_steps > EVERY:
            return  # each variable holds all of them
        updated = {
            id(one) for one in lazy_graph.leaves(recorder.trained.trees())
        }  # whose growth is told of as the update's
        for name, function, site, every, kind in variables():
            held = [one for one in every if id(one) not in updated]
            if not held:
                continue
            if self._rises(("arrays", function, name), step, len(held), held):
                recorder.fact(ContainerGrows(variable=name, arrays=len(held)), assigned(name, site, kind))
            key = "pending", function, name
            self._follow(step, key, held, partial(assigned, name, site, kind), suspects)

    def _follow(
        self, step: int, key: Key, held: list[Any], place: Callable[[], Site], suspects: dict[Key, Suspect]
    ) -> None:
        """Count the pending operations of a variable; report one that grows, and later that it was read."""
        _, function, name = key
        count = self.inspection.count(f"{function} {name}", held[-LISTED:])
        if count is None:
            return
        if (window := self._windows.get(key)) is not None:
            if window.follow(step, count):
                self._tell(window)
            return
        each = self._rises(key, step, count, held)
        if key in suspects:
            before, each = suspects[key]
            each = each if count and is_made_of(before, held[-FEW:]) else 0.0
            self._trends[key].rises = RISES_ARE_SURE if each else 0
        elif each and not self._trends[key].lengthened:
            self._suspects[key] = [copy.copy(one) for one in held[-FEW:]], each
            self.inspection.wanted = True
            return
        if each:
            self._windows[key] = Window(name, place(), step, count, each)
            self._tell(self._windows[key])

    def _tell(self, window: Window) -> None:
        self.inspection.recorder.revise(
            GraphRetained(
                variable=window.name,
                operations=window.count,
                per_step=window.each,
                resets=window.resets,
                window=window.longest,
            ),
            window.site,
        )

    def finish(self) -> None:
        self._suspects.clear()

    def _rises(self, key: Key, step: int, count: int, held: list[Any]) -> float:
        """Return by how much a count has grown per step, at the look that makes it sure.

        A list of more arrays than before has grown only where it begins with the same array: else it is another.
        """
        trend = self._trends.get(key)
        if trend is None or (len(held) > trend.arrays and trend.first() is not held[0]):
            trend = self._trends[key] = Trend(step, count, len(held), bound.ref(held[0]))
        each = (count - trend.count) / max(1, step - trend.step)
        if step > trend.step:
            trend.rises = trend.rises + 1 if each >= 1 else 0
            trend.lengthened = len(held) > trend.arrays
            trend.step, trend.count, trend.arrays, trend.first = step, count, len(held), bound.ref(held[0])
        return each if trend.rises == RISES_ARE_SURE and each >= 1 else 0.0


class Trend:
    """A count at the last look, what it was of (the first array is as old as its list), and its rises in a row."""

    def __init__(self, step: int, count: int, arrays: int, first: bound.ref[Any]) -> None:
        self.step = step
        self.count = count
        self.arrays = arrays
        self.first = first
        self.rises = 0
        self.lengthened = False  # since the look before: a list that begins as it did keeps what it held


class Window:
    """The steps since a variable was read last: it begins again at each sampled step that finds fewer operations."""

    def __init__(self, name: str, site: Site, step: int, count: int, each: float) -> None:
        self.name = name
        self.site = site
        self.step = step
        self.count = count
        self.each = each  # operations per step
        self.resets = 0  # that were seen
        self.longest = 0.0  # steps that one may have lasted; two that begin so far apart may have others between them
        self._began = step - count / each

    def follow(self, step: int, count: int) -> bool:
        """Take in another sampled step; return whether the variable was read before it."""
        grown = count - self.count
        read = grown < FELL_SHORT * self.each * (step - self.step)
        self.step, self.count = step, count
        if read:
            began = step - count / self.each
            gap, self._began = began - self._began, began
            self.longest = min(gap, self.longest) if self.resets else gap
            self.resets += 1
        return read


def is_made_of(before: list[Any], now: list[Any]) -> bool:
    """Tell whether any pending array is to be computed from what was held a step ago: a sum is, a fresh value is not.

    What is made anew at each step, of ever more, has as many operations behind it as a sum that nobody evaluates.
    """
    old = {f"before{k}": one for k, one in enumerate(before)}
    new = {f"now{k}": one for k, one in enumerate(now)}
    drawn = LossGraph(lazy_graph.dot(**new, **old), frozenset(old))
    return any(drawn.named_behind(name) for name in new)


def variables() -> Iterator[tuple[str, str, Site, list[Any], Any]]:
    """List name, function, place and arrays of what the program's frames hold, and in objects of which class."""
    seen: set[tuple[int, bool]] = set()
    for frame in call_site.program_frames():
        code = frame.f_code
        linecache.lazycache(code.co_filename, frame.f_globals)  # of a zipped module only its loader has the source
        packages = call_site.whose(code.co_filename) == PACKAGE
        for name, value in list(call_site.variables(frame).items())[:NAMES]:
            for path, held, kind in containers(name, value, seen, DEEPEST, packages=packages):
                yield path, code.co_name, call_site.innermost(frame), held, kind


def containers(
    name: str, value: Any, seen: set[tuple[int, bool]], depth: int, *, packages: bool, kind: Any = None
) -> Iterator[tuple[str, list[Any], Any]]:
    """List the arrays behind a variable: itself, a list's, a dict's, or those of an object of the user's own class.

    `packages`: or of an installed package's class, which is looked into from a frame of such a package alone.
    """
    if static.is_a(value, (str, int, float, bytes, type, ModuleType, FunctionType)):
        return
    if (id(value), True) in seen or (id(value), packages) in seen:
        return
    seen.add((id(value), packages))
    if (id(value), not packages) not in seen and (arrays := arrays_in(value)):
        yield name, arrays, kind
    for part, one in parts(value, packages=packages) if depth else ():
        owner = type(value) if part.startswith(".") else kind
        yield from containers(name + part, one, seen, depth - 1, packages=packages, kind=owner)


def parts(value: Any, *, packages: bool) -> list[tuple[str, Any]]:
    """List what to look into: a dict's lists, a short list's objects, an object's attributes."""
    if is_plain(value):
        return [
            (f"[{key!r}]", one)
            for key, one in list(static.texts(static.entries(value)))[:NAMES]
            if static.is_a(one, (list, deque))
        ]
    if static.is_a(value, (list, tuple)):
        few = static.children(value) if static.size(value) <= FEW else ()
        return [(f"[{k}]", one) for k, one in enumerate(few) if is_looked_into(one, packages=packages)]
    if is_looked_into(value, packages=packages):
        return [(f".{attribute}", one) for attribute, one in list(static.attributes(value).items())[:NAMES]]
    return []


def is_plain(value: Any) -> bool:
    """Tell whether a value is a dict, or a `defaultdict` and the like; a module is one too, and is not meant."""
    return static.is_a(value, dict) and not static.is_module(value)


def arrays_in(value: Any) -> list[Any]:
    """List the arrays of a variable that is one, or a list or dict of some."""
    if static.is_array(value):
        return [value]
    if static.is_a(value, (list, tuple, deque)):
        return lazy_graph.leaves(static.last(value, LISTED) if static.size(value) > LONG else static.children(value))
    return lazy_graph.leaves(value) if is_plain(value) else []


def is_looked_into(value: Any, *, packages: bool) -> bool:
    """Tell whether an object is of the user's own class (or a package's), and no module or optimizer of MLX's."""
    if static.static(type(value), "__dict__") is static.MISSING or any(map(call_site.is_mlx, static.origins(value))):
        return False
    owner = call_site.whose_module(static.origin(value))
    return owner == OWN or (packages and owner == PACKAGE)


def assigned(name: str, site: Site, kind: Any = None) -> Site:
    """Return the line that adds to a variable."""
    with isolated_import.importable():
        from mlxprobe.agent.introspection import additions  # reads the source, which few programs need
    return additions.assigned(name, site, kind)
