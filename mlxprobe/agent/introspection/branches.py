"""Find the branches of a function that were taken, from its source and the values at hand; no code is run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mlxprobe.agent.introspection.free_variables import COMPARES
from mlxprobe.agent.patching import static

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
PLAIN = (bool, int, float, str, bytes, type(None))
LOOPS = (ast.For, ast.AsyncFor, ast.While)
TRIES = (ast.Try, getattr(ast, "TryStar", ast.Try))  # the second from Python 3.11 on

Value = Callable[[ast.expr], Any]  # of a name or an attribute, in an expression; raises a LookupError for none
Guard = tuple[ast.expr | None, bool, ast.AST]  # a test, or none that is known; how it must come out for what


def within(node: ast.AST) -> Iterator[Any]:
    """List the nodes of a function, without those of nested functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FUNCTIONS):
            yield child
            yield from within(child)


def guards(root: ast.AST, target: ast.AST) -> list[Guard]:
    """List the branches of a function around one of its nodes, the outermost first."""
    for child in ast.iter_child_nodes(root):
        if child is target:
            return [_guard(root, child)] if _guards(root, child) else []
        if not isinstance(child, FUNCTIONS) and any(one is target for one in within(child)):
            return ([_guard(root, child)] if _guards(root, child) else []) + guards(child, target)
    return []


def _guards(parent: ast.AST, child: ast.AST) -> bool:
    """Return whether a part of a statement or an expression may be skipped when the whole runs."""
    if isinstance(parent, (ast.If, ast.IfExp)):
        return child is not parent.test
    if isinstance(parent, ast.BoolOp):
        return child is not parent.values[0]
    if isinstance(parent, (*LOOPS, *TRIES)):
        return isinstance(child, ast.ExceptHandler) or child in vars(parent)["orelse"]
    return isinstance(child, ast.match_case)


def _guard(parent: ast.AST, child: ast.AST) -> Guard:
    if isinstance(parent, ast.If):
        return parent.test, child in parent.body, child
    if isinstance(parent, ast.IfExp):
        return parent.test, child is parent.body, child
    return None, True, child


def taken(guard: Guard, value: Value) -> bool | None:
    """Return whether a branch is taken; None where that is not known."""
    test, wanted, _ = guard
    found = None if test is None else truth(test, value)
    return None if found is None else found is wanted


def truth(test: ast.expr, value: Value) -> bool | None:
    """Return how a test comes out that compares plain values; None for any other."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = truth(test.operand, value)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        every = [truth(one, value) for one in test.values]
        ends = isinstance(test.op, ast.Or)
        return ends if ends in every else None if None in every else not ends
    try:
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in COMPARES:
            return bool(COMPARES[type(test.ops[0])](_plain(test.left, value), _plain(test.comparators[0], value)))
        return bool(_plain(test, value))
    except (LookupError, TypeError):
        return None


def _plain(node: ast.expr, value: Value) -> Any:
    found = node.value if isinstance(node, ast.Constant) else value(node)
    if type(found) not in PLAIN:
        raise LookupError
    return found


def may_run(root: ast.AST, target: Any, value: Value) -> bool:
    """Return whether a statement may be reached: no branch around it is skipped, and none before it ends the function.

    A test that is not known may come out either way. A loop may have no turn, and what is tried may raise first.
    """
    if any(taken(one, value) is False for one in guards(root, target)):
        return False
    unsure = {one for outer in within(root) if isinstance(outer, (*LOOPS, *TRIES)) for one in within(outer)}
    ends = [one for one in within(root) if isinstance(one, (ast.Return, ast.Raise)) and one.lineno < target.lineno]
    ends = [one for one in ends if one not in unsure]
    return not any(all(taken(guard, value) for guard in guards(root, one)) for one in ends)


def result(root: ast.AST, value: Value) -> Any:
    """Return the only statement that a function may have returned or yielded a value by; None for none or several."""
    ends = [one for one in within(root) if isinstance(one, (ast.Return, ast.Yield)) and one.value is not None]
    if len(ends) > 1:
        ends = [one for one in ends if may_run(root, one, value)]
    return ends[0] if len(ends) == 1 else None


def must_run(root: ast.AST, target: ast.AST, value: Value, *, later: ast.AST | None = None) -> bool:
    """Return whether a node certainly ran when its function ran to the end, or to a `later` node."""
    shared = guards(root, later) if later is not None else []
    if not all(taken(one, value) for one in guards(root, target) if one not in shared):
        return False
    line = getattr(target, "lineno", 0)
    ends = [one for one in within(root) if isinstance(one, (ast.Return, ast.Raise)) and one.lineno < line]
    return later is not None or all(any(taken(guard, value) is False for guard in guards(root, one)) for one in ends)


class Known:
    """Look up names and attributes of a function that is being executed, or will be called, as they have been for long.

    `values` are its scopes, the innermost first. Names that the function binds more than once, or in a loop, may have
    been anything else before, and so may attributes that it sets.
    """

    def __init__(self, root: ast.AST, own: Iterable[str], values: list[dict[str, Any]]) -> None:
        self._own = set(own)  # names of the function: others of these may be global
        self._values = values
        every = list(within(root))
        self._set = {one.attr for one in every if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)}
        stored = [one.id for one in every if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
        inner = [one for loop in every if isinstance(loop, LOOPS) for one in within(loop)]
        looped = {one.id for one in inner if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        self._rebound = {one for one in stored if stored.count(one) > 1} | looped

    def __call__(self, node: ast.expr) -> Any:
        """Return the value of a name or an attribute.

        Raises:
            LookupError: it is not known.
        """
        if isinstance(node, ast.Name) and node.id not in self._rebound:
            for held in self._values[:1] if node.id in self._own else self._values:
                if node.id in held:
                    return held[node.id]
        if isinstance(node, ast.Attribute) and node.attr not in self._set:
            owner = self(node.value)
            held = {
                **static.attributes(owner),
                **dict(static.entries(owner) if static.is_a(owner, dict) else ()),
            }
            return held[node.attr]
        raise LookupError
