"""What a batch is a part of: a larger array that the program's own functions hold, with the batch's rows in it."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from types import GeneratorType, ModuleType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.patching import static
from mlxprobe.agent.wire import bound

MOST_BYTES = 64_000_000
DEEPEST = 2
PARTS = 64


def names(batch: Any) -> dict[str, bound.ref[Any]]:
    """Name what a batch, or what it was made of, is called where it is used: that is given the next one."""
    return {name: bound.ref(one) for name, one in held() if is_whole(one, batch)}


def find(batch: Any, called: dict[str, bound.ref[Any]]) -> tuple[str, int, bool] | None:
    """Return the name and the rows of such an array, and whether a line cuts rows off it; read once in a run.

    A batch that lies there whole besides is what is trained on, unless it is another object than what was `called` so.
    """
    found = None
    for name, one in held():
        lies_there = name not in called or called[name]() is one
        if lies_there and one is not batch and is_whole(one, batch):
            return None
        if found is None and is_larger(one, batch) and contains(one, batch):
            found = name, int(one.shape[0]), is_cut_off(name)
    return found


def name_of(model: Any) -> str:
    """Return what a model is called where it is used, or in the objects there; empty where that is not known."""
    for scope in scopes():
        for name, one in list(scope.items()):
            if one is model:
                return name
            for part, inner in state(one).items():
                if inner is model:
                    return f"{name}.{part}"
    return ""


def is_cut_off(name: str) -> bool:
    """Tell whether a line of the functions that are being executed takes the first rows of an array: `x[:32]`."""
    first = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\[\s*0?\s*:\s*[\w.]+\s*\]")
    return any(first.search(line) for file in files() for line in linecache.getlines(file))


def begun_again() -> call_site.Site:
    """Return the one line of the functions that are being executed that begins a loader anew for each batch."""
    anew = re.compile(r"\bnext\(\s*iter\(")
    found = [
        (file, number)
        for file in sorted(files())
        for number, line in enumerate(linecache.getlines(file), 1)
        if anew.search(line)
    ]
    return found[0] if len(found) == 1 else call_site.NOWHERE


def files() -> set[str]:
    """List the user's files among those of the functions that are being executed."""
    found, frame = set(), bound.frame()
    while frame is not None:
        found |= {frame.f_code.co_filename} if call_site.is_users(frame.f_code.co_filename) else set()
        frame = frame.f_back  # type: ignore[assignment]
    return found


def held() -> Iterator[tuple[str, Any]]:
    """List what the functions that are being executed hold, and their modules, and what lies in that."""
    seen: set[int] = set()
    for scope in scopes():
        for name, one in list(scope.items()):
            yield from inside(name, one, DEEPEST, seen)


def scopes() -> Iterator[dict[str, Any]]:
    """List the variables of the functions that are being executed, and their modules, each once."""
    seen: set[int] = set()
    frame = bound.frame()
    while frame is not None:
        if call_site.is_users(frame.f_code.co_filename):
            found = [one for one in (call_site.variables(frame), frame.f_globals) if id(one) not in seen]
            seen.update(map(id, found))
            yield from found
        frame = frame.f_back  # type: ignore[assignment]


def inside(name: str, one: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """List an object, and what lies in it, by their paths."""
    if id(one) in seen or static.is_a(one, type):
        return
    if static.is_data(one):
        seen.add(id(one))
        yield name, one
    elif depth and not static.is_a(one, ModuleType):
        seen.add(id(one))
        parts = static.entries(one) if static.is_a(one, static.CONTAINERS) else list(state(one).items())
        for key, part in static.texts(parts[:PARTS]):
            yield from inside(f"{name}.{key}", part, depth - 1, seen)


def state(one: Any) -> dict[str, Any]:
    """Return what an object of the user's own, or a function's closure, holds."""
    if type(one) is GeneratorType:
        return dict(call_site.variables(one.gi_frame)) if one.gi_frame is not None else {}
    is_own = call_site.whose_module(static.origin(one)) == OWN and not static.is_a(one, (dict, type))
    return dict(static.attributes(one)) if is_own else {}


def is_whole(one: Any, batch: Any) -> bool:
    """Tell whether an array is a batch, or has its rows."""
    return one is batch or (tuple(one.shape) == tuple(batch.shape) and contains(one, batch))


def is_larger(one: Any, batch: Any) -> bool:
    """Tell whether an array, of MLX's or NumPy's, has the form of a batch, and more rows."""
    shape = tuple(one.shape)
    return shape[1:] == tuple(batch.shape[1:]) and shape[:1] > tuple(batch.shape[:1]) and one.nbytes <= MOST_BYTES


def contains(one: Any, batch: Any) -> bool:
    """Tell whether the first row of a batch and its last are in an array."""
    import mlx.core as mx

    whole = one if is_array(one) else mx.array(one)
    if lazy_graph.pending([whole]) and is_array(one):
        return False
    ends = [batch[:1], batch[-1:]]
    found = [mx.any(mx.all((whole == end).reshape(whole.shape[0], -1), axis=1)) for end in ends]
    lazy_graph.evaluate(found)
    return all(bool(flag.item()) for flag in found)
