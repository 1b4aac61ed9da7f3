"""Write advice in the names of the user's program: read from the syntax of the blamed line and of its function."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator, Sequence

Rewrite = Callable[[ast.stmt], "ast.stmt | None"]  # a statement, better; None where that is not safe
CODE = re.compile(r"`[^`]+`")
MOST_CHARACTERS = 150  # of a rewritten line: a longer one does not show what has changed
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def advised(advice: str, source: str, line: int, rewrite: Rewrite | None = None) -> str:
    """Return advice for one line of a program: the line rewritten where a rule can do that, else with its names.

    Args:
        advice: what the rule's page says, with code in backticks that calls things `model`, `optimizer`, `grads`,
            `loss`, `loss_fn`.
        source: the text of the file.
        line: the blamed line, from 1.
        rewrite: the rule's own change of a statement.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a notebook's cell, or no Python
        return advice
    statement = _statement(tree, line)
    if statement is None:
        return advice
    if rewrite is not None and (better := rewritten(statement, rewrite)):
        return f"`{better}`."
    return renamed(advice, names(tree, line))


def rewritten(statement: ast.stmt, rewrite: Rewrite) -> str:
    """Return a statement as a rule would write it, on one line; empty where the rule does not know, or it is long."""
    changed = rewrite(copy.deepcopy(statement))
    if changed is None:
        return ""
    text = ast.unparse(ast.fix_missing_locations(changed))
    return text if text != ast.unparse(statement) and "\n" not in text and len(text) <= MOST_CHARACTERS else ""


def renamed(advice: str, users: dict[str, str]) -> str:
    """Replace the generic names in the code of an advice by those of the program."""
    if not users:
        return advice
    generic = re.compile(rf"(?<![\w.\"'])({'|'.join(users)})(?!\w|[\"'])")

    def put(code: re.Match[str]) -> str:
        return generic.sub(lambda name: users[name.group(1)], code.group())

    return CODE.sub(put, advice)


def names(tree: ast.Module, line: int) -> dict[str, str]:
    """Return what a program calls its model, optimizer, gradients, loss and loss function where a line stands.

    They are read off calls such as `optimizer.update(model, grads)` and `nn.value_and_grad(model, loss_fn)`: those of
    the innermost function come first, then those around it; of several the nearest to the line.
    """
    found: dict[str, str] = {}
    for scope in _scopes(tree, line):
        near = sorted(_own(scope), key=lambda node: abs(getattr(node, "lineno", line) - line))
        for node in near:
            for name, meant in _named(node):
                if _plain(meant):
                    found.setdefault(name, ast.unparse(meant))
    return found


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
        target, called = node.targets[0], ast.unparse(node.value.func)
        if isinstance(target, ast.Tuple) and len(target.elts) == 2 and "grad" in f"{called} {ast.unparse(target)}":
            yield "loss", target.elts[0]
            yield "grads", target.elts[1]
    if not isinstance(node, ast.Call) or node.keywords or len(node.args) != 2:
        return
    if isinstance(node.func, ast.Attribute) and node.func.attr == "update":
        yield "optimizer", node.func.value
        yield "model", node.args[0]
        yield "grads", node.args[1]
    elif ast.unparse(node.func) in ("nn.value_and_grad", "mlx.nn.value_and_grad"):
        yield "model", node.args[0]
        yield "loss_fn", node.args[1]


def _plain(node: ast.expr) -> bool:
    """Check whether an expression is a name, or an attribute of one: it can stand anywhere, and computes nothing."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _scopes(tree: ast.Module, line: int) -> list[ast.AST]:
    """Return the functions around a line, the innermost first, and the module; classes hold no names for them."""
    around = [node for node in ast.walk(tree) if isinstance(node, SCOPES) and _spans(node, line)]
    functions = [node for node in around if not isinstance(node, ast.ClassDef)]
    return [*sorted(functions, key=lambda node: node.end_lineno - node.lineno if node.end_lineno else 0), tree]


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope without those of the functions and classes in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, SCOPES):
            yield child
            yield from _own(child)


def _spans(node: ast.AST, line: int) -> bool:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0) or 0
    return first <= line <= last


def _statement(tree: ast.Module, line: int) -> ast.stmt | None:
    """Return the innermost statement on a line."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _spans(node, line)]
    return min(found, key=lambda node: (node.end_lineno or 0) - node.lineno, default=None)


def _calls(statement: ast.stmt, functions: Sequence[str]) -> list[ast.Call]:
    """Return the calls of functions with some names, whatever they are attributes of."""
    calls = (node for node in ast.walk(statement) if isinstance(node, ast.Call))
    return [one for one in calls if ast.unparse(one.func).rpartition(".")[2] in functions]


def with_argument(name: str, place: int, better: str, *functions: str) -> Rewrite:
    """Set an argument of the one call of some functions: by its keyword, or by its place from 0."""

    def rewrite(statement: ast.stmt) -> ast.stmt | None:
        calls = _calls(statement, functions)
        if len(calls) != 1 or any(isinstance(one, ast.Starred) for one in calls[0].args):
            return None
        value = ast.parse(better, mode="eval").body
        given = next((one for one in calls[0].keywords if one.arg == name), None)
        if given is not None:
            given.value = value
        elif len(calls[0].args) > place:
            calls[0].args[place] = value
        else:
            calls[0].keywords.append(ast.keyword(arg=name, value=value))
        return statement

    return rewrite


def with_evaluated_item(statement: ast.stmt) -> ast.stmt | None:
    """Read what is added to a sum or a list as a number: `total += loss.item()`."""
    match statement:
        case ast.AugAssign(op=ast.Add(), value=value) if _plain(value):
            statement.value = _item(value)
        case ast.Assign(value=ast.BinOp(op=ast.Add(), right=value) as total) if _plain(value):
            total.right = _item(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[value], keywords=[]) as call) if _plain(
            value
        ):
            call.args = [_item(value)]
        case _:
            return None
    return statement


def _item(value: ast.expr) -> ast.expr:
    return ast.Call(func=ast.Attribute(value=value, attr="item", ctx=ast.Load()), args=[], keywords=[])


def with_copied_item(statement: ast.stmt) -> ast.stmt | None:
    """Append a copy: `buffer.append(state.copy())`."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[value], keywords=[]) as call) if _plain(
            value
        ):
            call.args = [ast.Call(func=ast.Attribute(value=value, attr="copy", ctx=ast.Load()), args=[], keywords=[])]
            return statement
    return None


def with_result_kept(statement: ast.stmt) -> ast.stmt | None:
    """Assign what a statement computes and discards to the array that it starts from: `x = x.at[i].add(y)`."""
    match statement:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Subscript(value=ast.Attribute(attr="at", value=array)))) as call
        ):
            pass
        case ast.Expr(value=ast.Call(func=ast.Call(), args=[array], keywords=[]) as call):
            pass
        case _:
            return None
    if not _plain(array):
        return None
    target = ast.parse(ast.unparse(array)).body[0]
    assert isinstance(target, ast.Expr)
    stored = target.value
    stored.ctx = ast.Store()  # type: ignore[attr-defined]  # a name or an attribute
    return ast.Assign(targets=[stored], value=call)


def with_inverse(name: str, *functions: str) -> Rewrite:
    """Replace an argument given by keyword by its inverse: `scale=width**-0.5`."""

    def rewrite(statement: ast.stmt) -> ast.stmt | None:
        given = [one for call in _calls(statement, functions) for one in call.keywords if one.arg == name]
        if len(given) != 1:
            return None
        match given[0].value:
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=float() | int() as exponent)) as power:
                power.right = ast.Constant(value=-exponent)
            case value:
                given[0].value = ast.BinOp(left=ast.Constant(value=1), op=ast.Div(), right=value)
        return statement

    return rewrite
