"""Arrays that the program keeps, unevaluated, from step to step: lists of losses, running sums."""

from __future__ import annotations

import linecache
import re
import sys
from collections import deque
from collections.abc import Iterator
from types import FrameType, FunctionType, ModuleType
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.inspection import Inspection, Inspector

LAZY_AT_MOST = 3
LISTED = 200  # of a long list, the last are enough to see it grow
NAMES = 200
RISES_ARE_SURE = 3
DEEPEST = 3


class Retained(Inspector):
    """Count the pending operations behind each variable of the user's frames; one that grows keeps its graph."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._before: dict[tuple[str, str], tuple[int, int, int]] = {}  # where, name: step, pending, rises
        self._told: set[tuple[str, str]] = set()

    def look(self, step: int) -> None:
        if self.inspection.recorder.lazy_steps > LAZY_AT_MOST:
            return
        for name, function, site, held in variables(self.inspection.recorder.gradient_site):
            key = (function, name)
            if key in self._told:
                continue
            count = graph.pending(held)
            last_step, last, rises = self._before.get(key, (step, count, 0))
            rose = step > last_step and count - last >= step - last_step
            rises = rises + 1 if rose else (0 if step > last_step else rises)
            self._before[key] = step, count, rises
            if rises >= RISES_ARE_SURE:
                self._told.add(key)
                place = assigned(name, site)
                each = (count - last) / (step - last_step)
                self.inspection.recorder.fact(
                    "retained", place, variable=name, operations=count, per_step=each, arrays=len(held)
                )


def variables(default: tuple[str, int]) -> Iterator[tuple[str, str, tuple[str, int], list[Any]]]:
    """List name, function, place and arrays of what the user's frames hold, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    seen: set[int] = set()
    while frame is not None:
        code = frame.f_code
        if sites.is_users(code.co_filename):
            for name, value in list(frame.f_locals.items())[:NAMES]:
                for path, held in containers(name, value, seen, DEEPEST):
                    yield path, code.co_name, (code.co_filename, frame.f_lineno), held
        frame = frame.f_back


def containers(name: str, value: Any, seen: set[int], depth: int) -> Iterator[tuple[str, list[Any]]]:
    """List the arrays behind a variable: itself, a list's, a dict's, or those of an object of the user's own class."""
    if id(value) in seen or isinstance(value, (str, int, float, bytes, type, ModuleType, FunctionType)):
        return
    seen.add(id(value))
    if arrays := arrays_in(value):
        yield name, arrays
    if not depth:
        return
    if type(value) is dict:
        for key, one in list(value.items())[:NAMES]:
            if isinstance(one, (list, deque)):
                yield from containers(f"{name}[{key!r}]", one, seen, depth - 1)
    elif is_users_object(value):
        for attribute, one in list(vars(value).items())[:NAMES]:
            yield from containers(f"{name}.{attribute}", one, seen, depth - 1)


def arrays_in(value: Any) -> list[Any]:
    """List the arrays of a variable that is one, or a list or dict of some."""
    import mlx.core as mx

    if isinstance(value, mx.array):
        return [value]
    if isinstance(value, (list, tuple, deque)):
        return [one for one in list(value)[-LISTED:] if isinstance(one, mx.array)]
    return graph.leaves(value)[-LISTED:] if type(value) is dict else []


def is_users_object(value: Any) -> bool:
    """Tell whether an object is of the user's own class, and neither a module nor an optimizer of MLX's."""
    kind = type(value)
    if not hasattr(value, "__dict__") or any(base.__module__.startswith("mlx.") for base in kind.__mro__):
        return False
    module = sys.modules.get(kind.__module__)
    return sites.is_users(getattr(module, "__file__", None) or "/lib/python")


def assigned(name: str, site: tuple[str, int]) -> tuple[str, int]:
    """Return the line that adds to a variable, where the source shows one; else where the frame stands."""
    word = re.escape(name.rpartition(".")[2].partition("[")[0])
    adds = re.compile(rf"\b{word}\b(\[.*\])?(\s*\+=|\.(append|extend)\(|\s*=.*\b{word}\b.*\+|\s*=.*\+.*\b{word}\b)")
    for number, line in enumerate(linecache.getlines(site[0]), 1):
        if adds.search(line):
            return site[0], number
    return site
