"""Loops around a line, and the iterators in them that give what they have once: read off the source and the frames."""

from __future__ import annotations

import ast
import functools
import itertools
import linecache
import warnings
from collections.abc import Iterator
from types import CodeType, FrameType, GeneratorType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.free_variables import SCOPES, functions
from mlxprobe.agent.patching import static

Loop = ast.For | ast.While
ONCE: tuple[type, ...] = (
    *(GeneratorType, zip, map, filter, enumerate, reversed, itertools.islice, itertools.chain),
    *map(type, (iter([]), iter(()), iter(range(0)), iter({}))),
)
AROUND = {"enumerate", "zip", "tqdm", "islice"}  # what a loop may have around what it iterates
BRANCHES = (ast.If, ast.Try, ast.While, ast.Match)


@functools.cache
def module(file: str) -> ast.Module | None:
    """Read a source file."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


@functools.lru_cache(256)
def loops(code: CodeType) -> list[Loop]:
    """List the loops of a function, or of a module, the outer ones first."""
    known = functions(code.co_filename).get((code.co_name, code.co_firstlineno), [])
    whole = module(code.co_filename) if code.co_name == "<module>" else known[0] if len(known) == 1 else None
    return [one for one in within(whole) if isinstance(one, Loop)] if whole is not None else []


def enclosing(frame: FrameType) -> list[Loop]:
    """List the loops of a frame whose bodies are being executed, the inner ones first."""
    line = frame.f_lineno
    every = reversed(loops(frame.f_code))
    return [one for one in every if one.body[0].lineno <= line <= (one.body[-1].end_lineno or 0)]


def within(node: ast.AST, out: tuple[type, ...] = ()) -> Iterator[ast.AST]:
    """List what is in a node, the outer ones first; not in functions of its own, nor in what is left out."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*SCOPES, *out)):
            yield child
            yield from within(child, out)


def iterated(loop: ast.For) -> list[ast.expr]:
    """List the names, or attributes of names, that a loop takes its values from."""
    parts: list[ast.expr] = [loop.iter]
    if isinstance(loop.iter, ast.Call) and ast.unparse(loop.iter.func).rpartition(".")[2] in AROUND:
        parts = loop.iter.args
    return [one for one in parts if isinstance(one, (ast.Name, ast.Attribute))]


def value(frame: FrameType, node: ast.expr) -> Any:
    """Return what a name or an attribute stands for in a frame; None where no dict holds it."""
    if isinstance(node, ast.Name):
        return call_site.variables(frame).get(node.id, frame.f_globals.get(node.id))
    return static.attributes(value(frame, node.value)).get(node.attr) if isinstance(node, ast.Attribute) else None


def is_left(loop: Loop) -> bool:
    """Tell whether a loop may end before what it iterates does, or the whole function."""
    inner = [one for node in loop.body for one in (node, *within(node)) if isinstance(one, Loop)]
    theirs = {id(one) for loop in inner for one in within(loop) if isinstance(one, ast.Break)}
    every = [one for node in loop.body for one in (node, *within(node))]
    ends = (ast.Return, ast.Yield, ast.YieldFrom, ast.Raise)
    return any(isinstance(one, ends) or (isinstance(one, ast.Break) and id(one) not in theirs) for one in every)


def is_made_in(loop: Loop, node: ast.expr, file: str) -> bool:
    """Tell whether a loop binds a name or an attribute anew, or another function may."""
    text, whole = ast.unparse(node), module(file)
    stored = [one for one in within(loop) if isinstance(getattr(one, "ctx", None), (ast.Store, ast.Del))]
    if whole is None or any(ast.unparse(one) == text for one in stored):
        return True
    every = list(ast.walk(whole))
    if isinstance(node, ast.Name):
        return any(isinstance(one, (ast.Global, ast.Nonlocal)) and node.id in one.names for one in every)
    first = {id(one) for each in every if getattr(each, "name", "") == "__init__" for one in ast.walk(each)}
    here = [one for one in every if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)]
    return any(one.attr == getattr(node, "attr", "") and id(one) not in first for one in here)


def is_used_up(one: Any) -> bool:
    """Tell whether an iterator has nothing left, or one that it takes from."""
    if static.is_a(one, GeneratorType):
        return one.gi_frame is None
    if not isinstance(one, ONCE):
        return False
    if hasattr(one, "__length_hint__"):
        return bool(one.__length_hint__() == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = one.__reduce__()
    return any(static.is_a(part, ONCE) and is_used_up(part) for part in (made[1] if len(made) > 1 else ()))


def rounds_left(frame: FrameType, loop: ast.For) -> int | None:
    """Return how many rounds of a loop over a range are to come; None where that is not known."""
    over, now = loop.iter, value(frame, loop.target)
    if not (isinstance(over, ast.Call) and ast.unparse(over.func) == "range" and len(over.args) == 1):
        return None
    end = over.args[0].value if isinstance(over.args[0], ast.Constant) else value(frame, over.args[0])
    return end - 1 - now if isinstance(end, int) and isinstance(now, int) else None
