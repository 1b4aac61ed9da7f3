"""By which lines the loops around a line may be left, or a round of them cut short; and where their values are made."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mlxprobe.agent.introspection import call_site, loops
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.free_variables import SCOPES

MOST = 4
Ways = tuple[list[str], list[str], list[str]]


def around(way: tuple[call_site.Site, ...]) -> Ways:
    """Name the lines that leave a loop around some lines, that begin its next round, and that yield what it takes.

    Lines of one function each, the innermost first.
    """
    left: list[str] = []
    skipped: list[str] = []
    made: list[str] = []
    for file, line in way:
        whole = loops.module(file) if call_site.whose(file) == OWN else None
        for loop in _loops(whole, line) if whole is not None else ():
            for node in _own(loop):
                if isinstance(node, (ast.Break, ast.Return)):
                    left.append(call_site.brief((file, node.lineno)))
                elif isinstance(node, ast.Continue) and node.lineno < line:
                    skipped.append(call_site.brief((file, node.lineno)))
            made += [call_site.brief((file, one)) for one in _yielding(whole, loop)] if whole is not None else []
    return left[:MOST], skipped[:MOST], made[:MOST]


def _loops(whole: ast.Module, line: int) -> list[loops.Loop]:
    """List the loops of one function whose bodies hold a line, the inner ones first."""
    functions = [one for one in ast.walk(whole) if isinstance(one, SCOPES) and _holds(one, line)]
    inner: ast.AST = max(functions, key=lambda one: one.lineno, default=whole)
    found = [one for one in loops.within(inner) if isinstance(one, loops.Loop)]
    return [one for one in reversed(found) if one.body[0].lineno <= line <= (one.body[-1].end_lineno or 0)]


def _holds(one: ast.AST, line: int) -> bool:
    return getattr(one, "lineno", line + 1) <= line <= (getattr(one, "end_lineno", 0) or 0)


def _own(loop: loops.Loop) -> list[ast.AST]:
    """List what a loop's body holds; of inner loops only what leaves the function."""
    body = [one for node in loop.body for one in (node, *loops.within(node))]
    inner = {id(one) for each in body if isinstance(each, loops.Loop) for one in loops.within(each)}
    return [one for one in body if isinstance(one, ast.Return) or id(one) not in inner]


def _yielding(whole: ast.Module, loop: loops.Loop) -> Iterator[int]:
    """List the lines of the loops that yield what a loop takes, where it calls a generator of the same file."""
    over = loop.iter if isinstance(loop, ast.For) else None
    while isinstance(over, ast.Call) and over.args and ast.unparse(over.func).rpartition(".")[2] in loops.AROUND:
        over = over.args[0]
    if not isinstance(over, ast.Call):
        return
    name = ast.unparse(over.func).rpartition(".")[2]
    for one in ast.walk(whole):
        if isinstance(one, ast.FunctionDef) and one.name == name:
            yielding = [each for each in loops.within(one) if isinstance(each, loops.Loop)]
            yield from (each.lineno for each in yielding if any(isinstance(k, ast.Yield) for k in loops.within(each)))
