"""The line that the author has to change, where a fault shows at another one; read off the source, nothing is run."""

from __future__ import annotations

import ast
import functools
import linecache
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from mlxprobe.agent.introspection import branches, call_site
from mlxprobe.agent.introspection.call_site import NOWHERE, Site
from mlxprobe.agent.introspection.free_variables import functions
from mlxprobe.agent.patching import static

DEEPEST = 8
MOST = 64
NUMPY = "numpy"
ADDS = {"append", "extend", "insert", "appendleft"}


def unwrapped(function: Any) -> tuple[Any, Any]:
    """Return the plain function behind methods, `functools.partial` and wrappers, and what it is bound to."""
    bound = None
    for _ in range(DEEPEST):
        bound = function.__self__ if static.is_a(function, (MethodType, BuiltinFunctionType)) else bound
        inner = static.wrapped(function)
        if inner is None:
            break
        function = inner
    if not static.is_a(function, FunctionType) and callable(function):
        function, bound = static.method(function, "__call__"), function
    return (function if static.is_a(function, FunctionType) else None), bound


def loses(function: Any, name: str) -> Site:
    """Return the line that makes the result of the user's function in which an argument comes to its end.

    That is the function itself, or one that it does nothing with the argument but hand it to.
    """
    plain, bound = unwrapped(function)
    found = NOWHERE
    for _ in range(DEEPEST):
        if plain is None or not call_site.is_users(plain.__code__.co_filename):
            break
        found = result_of(plain, bound)
        plain, bound, name = handed_on(plain, bound, name)
    return found


def result_of(plain: Any, bound: Any = None) -> Site:
    """Return the line by which a function returns; the one where it begins if that may be several."""
    file = plain.__code__.co_filename
    for node in _nodes(plain):
        end = branches.result(node, known_to(plain, bound))
        return file, end.lineno if end is not None else node.lineno
    return file, plain.__code__.co_firstlineno


def scopes_of(plain: Any, bound: Any) -> list[dict[str, Any]]:
    """Return the scopes of a function before a call: its object, its closure and its module."""
    cells = zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=False)
    first = plain.__code__.co_varnames[:1]
    own = {first[0]: bound} if bound is not None and first else {}
    return [own, {name: cell.cell_contents for name, cell in cells if static.is_filled(cell)}, plain.__globals__]


def known_to(plain: Any, bound: Any) -> branches.Known:
    """Return a lookup of a function's names that does not depend on its arguments."""
    root = next(iter(_nodes(plain)), ast.Module([], []))
    return branches.Known(root, plain.__code__.co_varnames, scopes_of(plain, bound))


def handed_on(plain: Any, bound: Any, name: str) -> tuple[Any, Any, str]:
    """Return the only function that is given an argument, what that is bound to, and the argument's name there."""
    every = [one for node in _nodes(plain) for one in branches.within(node)]
    used = [one for one in every if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load)]
    calls = [one for one in every if isinstance(one, ast.Call) and any(part in used for part in one.args)]
    known = known_to(plain, bound)
    ran = [one for node in _nodes(plain) for one in calls if branches.must_run(node, one, known)]
    if len(used) != 1 or len(ran) != 1:
        return None, None, ""
    called, owner = unwrapped(_called(calls[0].func, plain, bound))
    if called is None:
        return None, None, ""
    at = calls[0].args.index(used[0]) + (owner is not None and not static.is_a(owner, type(sys)))
    names = called.__code__.co_varnames[: called.__code__.co_argcount]
    return (called, owner, names[at]) if at < len(names) else (None, None, "")


def uses_numpy(function: Any) -> bool:
    """Tell whether a user's function, or one of the user's that it calls, names NumPy or something of NumPy's."""
    waiting, read = [unwrapped(function)], set[Any]()
    while waiting and len(read) < MOST:
        plain, bound = waiting.pop()
        if plain is None or plain in read or not call_site.is_users(plain.__code__.co_filename):
            continue
        read.add(plain)
        held = (plain.__globals__.get(name) for name in plain.__code__.co_names)
        if any(static.whence(one).partition(".")[0] == NUMPY for one in held):
            return True
        calls = (one for node in _nodes(plain) for one in ast.walk(node) if isinstance(one, ast.Call))
        waiting += [unwrapped(_called(one.func, plain, bound)) for one in calls]
    return False


def _called(node: ast.expr, plain: Any, bound: Any) -> Any:
    """Return what is called: a function by its name, or a method of what the calling one is bound to."""
    if isinstance(node, ast.Name):
        return next((held[node.id] for held in scopes_of(plain, None)[1:] if node.id in held), None)
    first = plain.__code__.co_varnames[:1]
    if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in first and bound is not None:
        method: Any = static.method(bound, node.attr)
        return (
            method.__get__(bound)
            if method is not None
            else {**static.attributes(bound), **dict(static.entries(bound))}.get(node.attr)
        )
    return None


def settings(owner: Any, attribute: str) -> Iterator[tuple[Site, ast.expr, str]]:
    """List where a user's class sets an attribute of its own: the line, to what, and in which method."""
    for kind in static.lineage(type(owner)):
        for method in _methods(kind):
            first = method.__code__.co_varnames[:1]
            for node in _nodes(method):
                for one in ast.walk(node):
                    if isinstance(one, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and one.value is not None:
                        targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                        each = [part for target in targets for part in ast.walk(target)]
                        its = [part for part in each if isinstance(part, ast.Attribute) and part.attr == attribute]
                        if any(getattr(part.value, "id", None) in first for part in its):
                            yield (method.__code__.co_filename, one.lineno), one.value, method.__name__


def additions(owner: Any, attribute: str) -> Iterator[Site]:
    """List where a user's class adds to a list that it has."""
    for kind in static.lineage(type(owner)):
        for method in _methods(kind):
            every = [one for node in _nodes(method) for one in ast.walk(node) if isinstance(one, ast.Call)]
            adds = [one for one in every if isinstance(one.func, ast.Attribute) and one.func.attr in ADDS]
            for one in adds:
                if getattr(getattr(one.func, "value", None), "attr", "") == attribute:
                    yield method.__code__.co_filename, one.lineno


def node_of(code: Any) -> ast.AST:
    """Return the source of some code: a function's, else the whole file's."""
    found = functions(code.co_filename).get((code.co_name, code.co_firstlineno), [])
    return found[0] if len(found) == 1 else tree(code.co_filename)


def assignment(module: Any, attribute: str, elsewhere: str = "") -> Site:
    """Return where an attribute of a module is set: by its own class, or else by the only such line of a file."""
    for kind in static.lineage(type(module)):
        found = [(method, root, one) for method in _methods(kind) for root, one in _sets(method, attribute)]
        ran = [each for each in found if len(found) == 1 or branches.must_run(*each[1:], known_to(each[0], module))]
        if found:
            return (ran[0][0].__code__.co_filename, ran[0][2].lineno) if ran else NOWHERE
    lines = [one.lineno for one in _lines(tree(elsewhere), lambda it: it.attr == attribute)] if elsewhere else []
    return (elsewhere, lines[0]) if len(lines) == 1 else NOWHERE


def drops_first(site: Site) -> bool:
    """Tell whether a line takes a result apart, and throws its first part away on purpose: `_, norm = …`, `…[1]`."""
    for one in ast.walk(tree(site[0])):
        if isinstance(one, (ast.Assign, ast.Subscript)) and one.lineno <= site[1] <= (one.end_lineno or 0):
            if isinstance(one, ast.Subscript) and isinstance(one.value, ast.Call):
                return isinstance(one.slice, (ast.Constant, ast.UnaryOp)) and ast.unparse(one.slice) in ("1", "-1")
            first = one.targets[0] if isinstance(one, ast.Assign) else None
            if isinstance(first, ast.Tuple) and getattr(first.elts[0], "id", "").startswith("_"):
                return True
    return False


def _methods(kind: type) -> list[Any]:
    """List the functions of a user's class, its constructor first."""
    file = call_site.file_of(static.module_of(kind))
    if file is not None and not call_site.is_users(file):
        return []
    every = [one for one in (unwrapped(each)[0] for each in static.namespace(kind).values()) if one is not None]
    return sorted(every, key=lambda one: one.__name__ != "__init__")


def _sets(method: Any, attribute: str) -> Iterator[tuple[ast.AST, Any]]:
    first = method.__code__.co_varnames[:1]
    for node in _nodes(method):
        wanted = functools.partial(_is_own, first=first, attribute=attribute)
        yield from ((node, one) for one in _lines(node, wanted))


def _is_own(target: ast.Attribute, first: tuple[str, ...], attribute: str) -> bool:
    return target.attr == attribute and getattr(target.value, "id", None) in first


def _lines(node: ast.AST, wanted: Callable[[ast.Attribute], bool]) -> Iterator[Any]:
    """List the statements that set attributes to something."""
    for one in ast.walk(node):
        if isinstance(one, (ast.Assign, ast.AnnAssign)) and not isinstance(one.value, (ast.Constant, type(None))):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            each = [part for target in targets for part in ast.walk(target)]
            if any(isinstance(part, ast.Attribute) and wanted(part) for part in each):
                yield one


def _nodes(function: Any) -> list[Any]:
    code = function.__code__
    return list(functions(code.co_filename).get((code.co_name, code.co_firstlineno), []))


def tree(file: str) -> ast.AST:
    """Return the source of a file; an empty one where it cannot be read."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])
