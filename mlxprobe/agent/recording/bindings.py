"""Which statements of a function bind a name, and which of them have not been executed, as far as that shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from mlxprobe.agent.introspection.branches import within
from mlxprobe.agent.introspection.scopes import Scope, Way, given

CHANGES = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.AsyncFor)


def bindings(node: ast.AST, name: str) -> Iterator[tuple[Any, Way]]:
    """List the statements of a function that bind a name, each with the way from its value to that."""
    for one in within(node):
        if isinstance(one, CHANGES):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            for target in targets:
                yield from ((one, path) for path in paths(target, name))


def paths(target: ast.expr, name: str) -> Iterator[Way]:
    """List the ways into a target of an assignment that end at a name."""
    if isinstance(target, ast.Name) and target.id == name:
        yield ()
    elif isinstance(target, (ast.Tuple, ast.List)):
        for k, one in enumerate(target.elts):
            yield from ((k, *rest) for rest in paths(one, name))


def is_skipped(statement: Any, name: str, scope: Scope) -> bool:
    """Tell whether a statement has not bound a name: it would be a constant, or stands for what was left out."""
    held = scope.values[0].get(name)
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant) and held is not None:
        return bool(statement.value.value != held) if type(statement.value.value) is type(held) else True
    guards = [one for one in within(scope.node) if isinstance(one, ast.If) and statement in one.body]
    if not any(ast.unparse(one.test) in (f"{name} is None", f"not {name}") for one in guards):
        return False
    led = scope.by() if name in scope.code.co_varnames[: scope.code.co_argcount] else None
    expression = given_by(led, name, scope)[0] if led is not None else None
    return expression is not None and not isinstance(expression, ast.Constant)


def given_by(led: Any, name: str, scope: Scope) -> tuple[ast.expr | None, Way]:
    """Return what a call gives a parameter of a function that it has led to."""
    names = [one for one in scope.code.co_varnames[: scope.code.co_argcount] if one != "self"]
    call, outer = led
    return given(call, outer, name, names.index(name) if name in names else len(names))
