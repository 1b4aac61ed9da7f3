"""The line that builds a value: followed back through names, calls and loops of the user's source, nothing is run."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections import deque
from collections.abc import Iterator
from types import CodeType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

from mlxprobe.agent.introspection import blame, branches, call_site
from mlxprobe.agent.introspection.branches import within
from mlxprobe.agent.introspection.call_site import NOWHERE, Site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.scopes import Scope, Trail, Way, asked, entered, given
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import parameters
from mlxprobe.agent.recording.gradient_call import Call

CHANGES = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.AsyncFor)
SAME = {"array", "asarray", "stop_gradient", "astype", "copy", "ascontiguousarray", "from_numpy", "to", "tolist"}
LOOPED = {"enumerate", "tqdm", "list", "iter", "tuple", "reversed"}


def datum(call: Call, path: str, beside: str = "") -> Site:
    """Return the line that builds a part of a gradient call's data; the call is under way.

    Where another part, `beside` it, is built at the same line, it is the one from which on both are the same.
    """
    trail, other = Trail(), Trail()
    found = argument(*_named(call, path), trail=trail)
    if beside and found == argument(*_named(call, beside), trail=other):
        found = trail.parts_from(other) or found
    return found


def _named(call: Call, path: str) -> tuple[str, int, Way]:
    name, *rest = path.split(".")
    names = parameters(call.function)
    position = int(name.split()[1]) if name.startswith("argument ") else names.index(name) if name in names else -1
    return name, position, tuple(int(one) if one.isdigit() else one for one in rest)


def argument(
    name: str, position: int = -1, way: Way = (), *, code: CodeType | None = None, trail: Trail | None = None
) -> Site:
    """Return the line that builds what is given as an argument to the call that is under way.

    It is the call of the function of some `code`, or the innermost that the user's code makes.
    """
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError, RecursionError):
        call, scope = asked(code)
        expression, into = given(call, scope, name, position)
        if expression is None:
            return scope.file, call.lineno
        return follow(expression, scope, (*into, *way), Trail() if trail is None else trail)
    return NOWHERE


def returned(name: str) -> Site:
    """Return the line at which the user's function ends that is called for an argument; nowhere for none."""
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError, RecursionError):
        call, scope = asked(None)
        expression, way = given(call, scope, name)
        bound = list(bindings(scope.node, expression.id)) if isinstance(expression, ast.Name) else []
        expression = getattr(bound[0][0], "value", None) if len(bound) == 1 else expression
        inner = entered(expression, scope.value(expression.func), scope) if isinstance(expression, ast.Call) else None
        return (_returned(inner, way, Trail(0)) if inner is not None else None) or NOWHERE
    return NOWHERE


def follow(node: ast.expr, scope: Scope, way: Way, trail: Trail) -> Site:
    """Return the line that builds an expression's value, or the part of it that lies at the end of a way."""
    found: Site | None = None
    part, rest = taken_apart(node, way)
    if trail.ends(scope.file, node) or part is None:
        found = None
    elif part is not node:
        found = follow(part, scope, rest, trail)
    elif isinstance(node, ast.Name):
        found = _name(node, scope, way, trail)
    elif isinstance(node, ast.Attribute):
        found = _attribute(node, scope)
    elif isinstance(node, ast.Call):
        found = _call(node, scope, way, trail)
    return found or (scope.file, node.lineno)


def taken_apart(node: ast.expr, way: Way) -> tuple[ast.expr | None, Way]:
    """Go one key of a way into what is written out, or one key out of what is taken by it; None where that fails."""
    if isinstance(node, (ast.Tuple, ast.List)) and way and isinstance(way[0], int):
        part = node.elts[way[0]] if -len(node.elts) <= way[0] < len(node.elts) else None
        return (None if isinstance(part, ast.Starred) else part), way[1:]
    if isinstance(node, ast.Dict) and way:
        keys = [getattr(one, "value", None) for one in node.keys]
        return (node.values[keys.index(way[0])] if way[0] in keys else None), way[1:]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.value, (node.slice.value, *way)
    return node, way


def _name(node: ast.Name, scope: Scope, way: Way, trail: Trail) -> Site | None:
    bound = [one for one in bindings(scope.node, node.id) if not is_skipped(one[0], node.id, scope)]
    bound = [one for one in bound if branches.may_run(scope.node, one[0], scope.known())]
    before = [one for one in bound if one[0].lineno < node.lineno] or bound
    if not before:
        return _from_outside(node, scope, way, trail)
    statement, path = max(before, key=lambda one: one[0].lineno)
    if len(before) > 1 and not branches.must_run(scope.node, statement, scope.known(), later=node):
        return None
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return _looped(statement.iter, scope, (*path, *way), trail)
    if isinstance(statement, ast.AugAssign) or statement.value is None:
        return scope.file, statement.lineno
    return follow(statement.value, scope, (*path, *way), trail)


def _from_outside(node: ast.Name, scope: Scope, way: Way, trail: Trail) -> Site | None:
    """Follow a parameter to the call, and any other name to the module's own lines."""
    if node.id in scope.code.co_varnames[: scope.code.co_argcount + scope.code.co_kwonlyargcount]:
        led = scope.by()
        if led is None:
            return scope.file, node.lineno
        call, outer = led
        expression, into = given_by(led, node.id, scope)
        if expression is None:
            return outer.file, call.lineno
        return follow(expression, outer, (*into, *way), trail)
    outer_ones = [] if isinstance(scope.node, ast.Module) else [*scope.around(), scope.module()]
    binds = next((one for one in outer_ones if any(bindings(one.node, node.id))), None)
    if binds is None:
        return scope.file, node.lineno
    return _name(ast.Name(node.id, ast.Load(), lineno=sys.maxsize), binds, way, trail)


def _attribute(node: ast.Attribute, scope: Scope) -> Site | None:
    """Return the only line of a user's class that sets an attribute, or that makes it of what it was.

    Where there are several of these, which of them ran last is not known.
    """
    owner = scope.value(node.value)
    found = list(blame.settings(owner, node.attr)) if owner is not None else []
    renewed = [one for one in found if node.attr in {getattr(each, "attr", "") for each in ast.walk(one[1])}]
    return next((some[0][0] for some in (renewed, found) if len(some) == 1), None)


def _call(node: ast.Call, scope: Scope, way: Way, trail: Trail) -> Site:
    here = scope.file, node.lineno
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    inner = entered(node, scope.value(node.func), scope)
    if inner is not None:
        return _returned(inner, way, trail) or here
    if name in LOOPED and way:
        return _looped(node, scope, way, trail)
    first = next(iter(node.args), None)
    if isinstance(first, (ast.Name, ast.Attribute)) and (grown := _lengthened(first, scope)):
        return grown
    if name not in SAME:
        return here
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    method = owner is not None and not static.is_a(scope.value(owner), ModuleType)
    first = owner if method else first
    return follow(first, scope, way, trail) if isinstance(first, (ast.Name, ast.Attribute)) else here


def _lengthened(node: ast.Name | ast.Attribute, scope: Scope) -> Site | None:
    """Return the line that adds to a list of the user's; None where a value is no list, or nothing does."""
    if not static.is_a(scope.value(node), (list, deque)):
        return None
    if isinstance(node, ast.Attribute):
        return next(blame.additions(scope.value(node.value), node.attr), None)
    calls = [one for one in branches.within(scope.node) if isinstance(one, ast.Call)]
    called = [one for one in calls if isinstance(one.func, ast.Attribute)]
    its = [one.lineno for one in called if ast.unparse(one.func) in {f"{node.id}.{adds}" for adds in blame.ADDS}]
    return (scope.file, its[0]) if its else None


def _returned(scope: Scope, way: Way, trail: Trail) -> Site | None:
    """Follow what a function returns, or yields; None where that may be several."""
    if isinstance(scope.node, ast.Lambda):
        return follow(scope.node.body, scope, way, trail)
    end = branches.result(scope.node, scope.known())
    return None if end is None else follow(end.value, scope, way, trail)


def _looped(node: ast.expr, scope: Scope, way: Way, trail: Trail) -> Site:
    """Follow what a loop goes over: through `enumerate` and `zip`, a generator, or an object's own way."""
    here = scope.file, node.lineno
    if trail.ends(scope.file, node):
        return here
    held = scope.value(node)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "zip" and way and way[0] < len(node.args):
            return _looped(node.args[way[0]], scope, way[1:], trail)
        if name in LOOPED and node.args:
            return _looped(node.args[0], scope, way[1:] if name == "enumerate" else way, trail)
        called = scope.value(node.func)
        held = called if static.is_a(called, type) else None
        inner = entered(node, called, scope)
        if inner is not None:
            return _returned(inner, way, trail) or here
    elif static.is_a(held, GeneratorType) and call_site.whose(held.gi_code.co_filename) == OWN:
        frame = held.gi_frame
        values = [call_site.variables(frame), frame.f_globals] if frame is not None else [{}]
        inner = Scope(held.gi_code, blame.node_of(held.gi_code), values, by=lambda: None)
        return _returned(inner, way, trail) or here
    return _iterated(node, held, scope, way, trail)


def _iterated(node: ast.expr, held: Any, scope: Scope, way: Way, trail: Trail) -> Site:
    """Follow what an object of the user's, or one of a class, is iterated by."""
    kind = held if static.is_a(held, type) else type(held)
    for method in ("__next__", "__iter__", "__getitem__"):
        function = static.static(kind, method)
        if isinstance(function, FunctionType) and call_site.whose(function.__code__.co_filename) == OWN:
            bound: Any = MethodType(function, held)
            inner = entered(ast.Call(node, [], [], lineno=node.lineno), bound, scope)
            if inner is not None and (found := _returned(inner, way, trail)):
                return found
    return follow(node, scope, (), trail) if isinstance(node, ast.Name) else (scope.file, node.lineno)


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
