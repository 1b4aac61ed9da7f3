"""Functions of the user's that are being executed, or read: what their names stand for, and who has called them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from mlxprobe.agent.introspection import blame, branches, call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.free_variables import functions
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import parameters
from mlxprobe.agent.wire import bound

DEEPEST = 24
Way = tuple[Any, ...]  # keys that lead from a value to a part of it


class Scope:
    """A function of the user's that is being executed, or read: what its names stand for, and who has called it."""

    def __init__(self, code: CodeType, node: ast.AST, values: list[dict[str, Any]], by: Callable[[], Any]) -> None:
        self.code = code
        self.file = code.co_filename
        self.node = node
        self.values = values
        self.by = by  # the call that has led here, and the scope that it stands in

    def value(self, node: ast.expr) -> Any:
        """Return what a name or an attribute stands for; None where it is not known."""
        if isinstance(node, ast.Name):
            return next((held[node.id] for held in self.values if node.id in held), None)
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            inner = {
                **static.attributes(owner),
                **(dict(static.entries(owner)) if static.is_a(owner, dict) else {}),
            }
            shared = static.static(type(owner), node.attr)
            method = MethodType(shared, owner) if isinstance(shared, FunctionType) else shared
            return inner.get(node.attr, None if method is static.MISSING else method)
        return None

    def known(self) -> branches.Known:
        """Look up what its names have stood for as long as it runs."""
        code = self.code
        own = code.co_varnames + code.co_cellvars if code.co_name != "<module>" else ()
        return branches.Known(self.node, own, self.values)

    def module(self) -> Scope:
        """Return the module that the function stands in."""
        return Scope(self.code, blame.tree(self.file), self.values[-1:], by=lambda: None)

    def around(self) -> list[Scope]:
        """List the functions that this one stands in, innermost first."""
        every = [one for found in functions(self.file).values() for one in found]
        line = getattr(self.node, "lineno", 0)
        outer = [one for one in every if one.lineno < line <= (one.end_lineno or 0)]
        return [
            Scope(self.code, one, self.values, by=lambda: None) for one in sorted(outer, key=lambda one: -one.lineno)
        ]


class Trail:
    """The expressions that have led somewhere, so many at most."""

    def __init__(self, most: int = DEEPEST) -> None:
        self._most = most
        self._steps: list[tuple[str, int, int]] = []

    def ends(self, file: str, node: ast.expr) -> bool:
        """Take a step; tell whether it is the last."""
        self._steps.append((file, node.lineno, getattr(node, "col_offset", 0)))
        return len(self._steps) > self._most

    def parts_from(self, other: Trail) -> tuple[str, int] | None:
        """Return the last line before both are the same."""
        mine, its = self._steps[::-1], other._steps[::-1]
        alike = next((k for k, pair in enumerate(zip(mine, its, strict=False)) if pair[0] != pair[1]), None)
        return mine[alike][:2] if alike is not None else None


def asked(code: CodeType | None) -> tuple[ast.Call, Scope]:
    """Return the call that is under way, of the function of some `code` or the innermost of the user's, and its scope.

    Raises:
        LookupError: there is none.
    """
    frame = innermost(code)
    call = called_in(frame) if frame is not None else None
    if frame is None or call is None:
        raise LookupError
    return call, of_frame(frame)


def innermost(code: CodeType | None) -> FrameType | None:
    """Return the innermost frame of the user's own; with `code`, the one that called its function."""
    frame: FrameType | None = bound.frame(1)
    seen = code is None
    while frame is not None and not (seen and call_site.whose(frame.f_code.co_filename) == OWN):
        seen = seen or frame.f_code is code
        frame = frame.f_back
        if seen and frame is not None and frame.f_code is code:
            frame = frame.f_back
    return frame


def of_frame(frame: FrameType) -> Scope:
    """Take a function that is being executed."""
    return Scope(
        frame.f_code,
        blame.node_of(frame.f_code),
        [call_site.variables(frame), frame.f_globals],
        by=lambda: caller(frame),
    )


def caller(frame: FrameType) -> Any:
    """Return the call that made a frame, and its scope."""
    outer = frame.f_back
    while outer is not None and call_site.whose(outer.f_code.co_filename) != OWN:
        outer = outer.f_back
    call = called_in(outer) if outer is not None else None
    return (call, of_frame(outer)) if call is not None and outer is not None else None


def called_in(frame: FrameType) -> ast.Call | None:
    """Return the call that a frame is executing: by its place where Python tells it, else the outermost of the line."""
    found = [one for one in ast.walk(blame.node_of(frame.f_code)) if isinstance(one, ast.Call)]
    if hasattr(frame.f_code, "co_positions"):
        line, _, column, end = list(frame.f_code.co_positions())[frame.f_lasti // 2]
        exact = [one for one in found if (one.lineno, one.col_offset, one.end_col_offset) == (line, column, end)]
        return exact[0] if exact else None
    return next((one for one in found if one.lineno <= frame.f_lineno <= (one.end_lineno or 0)), None)


def given(call: ast.Call, scope: Scope, name: str, position: int = -1) -> tuple[ast.expr | None, Way]:
    """Return the expression that is given as an argument, and the way into it; None where it is left out."""
    keyword = next((one.value for one in call.keywords if one.arg == name), None)
    if keyword is not None:
        return keyword, ()
    if position < 0:
        names = parameters_of(scope.value(call.func))
        position = names.index(name) if name in names else len(call.args)
    for k, one in enumerate(call.args):
        if isinstance(one, ast.Starred):
            return one.value, (position - k,)
        if k == position:
            return one, ()
    return None, ()


def parameters_of(function: Any) -> list[str]:
    """Name what a function, a method or an object that is called takes, without what it is bound to."""
    plain, bound = blame.unwrapped(
        static.attributes(function).get("__init__") if static.is_a(function, type) else function
    )
    names = parameters(plain if plain is not None else function)
    return names[1:] if bound is not None or static.is_a(function, type) else names


def entered(call: ast.Call, function: Any, scope: Scope) -> Scope | None:
    """Return the scope of a user's function that is called; None where it is none's."""
    if function is None or static.is_a(function, type):
        return None
    plain, bound = blame.unwrapped(function)
    if plain is None or call_site.whose(plain.__code__.co_filename) != OWN:
        return None
    values = blame.scopes_of(plain, bound)
    return Scope(plain.__code__, blame.node_of(plain.__code__), values, by=lambda: (call, scope))
