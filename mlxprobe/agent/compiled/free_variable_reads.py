"""Read the source of one function: what it computes with of what is not its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from mlxprobe.agent.introspection.free_variables import SCOPES, Function

QUIET = {"print", "isinstance", "hasattr", "repr", "str", "format", "type", "id", "callable"}
QUIET |= {"debug", "info", "warning", "warn", "log", "write"}
DROPPED = (ast.Expr, ast.Assert, ast.Raise, ast.JoinedStr, ast.Delete, ast.Global, ast.Nonlocal, *SCOPES)
STORES = (ast.Assign, ast.AnnAssign, ast.AugAssign)
Steps = tuple[tuple[bool, str | int], ...]  # from a name on: whether it is an element, and which element or attribute


class Use(NamedTuple):
    """A chain such as `self.rate` or `settings["rate"]` that is computed with; `into` is where that is stored."""

    root: str
    steps: Steps
    line: int
    into: Use | None = None
    name: str = ""  # of the function's own, that it is given to

    def __str__(self) -> str:
        return self.root + "".join(f"[{key!r}]" if item else f".{key}" for item, key in self.steps)

    @property
    def last(self) -> str:
        """The attribute, key or name that the chain ends with."""
        return str(self.steps[-1][1]) if self.steps else self.root


class Uses:
    """What a function computes with, and the last names of what it `stores`, or `counts` on from what it was."""

    def __init__(self, node: Function) -> None:
        self.found: list[Use] = []
        self.stores: set[str] = set()
        self.counts: set[str] = set()
        inner = list(within(node))
        shared = {name for one in inner if isinstance(one, (ast.Global, ast.Nonlocal)) for name in one.names}
        bound = [one.id for one in inner if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)]
        self._bound = {*bound} - shared
        self._aliases: dict[str, Use] = {}
        for one in inner:
            if isinstance(one, ast.Assign) and len(one.targets) == 1 and isinstance(one.targets[0], ast.Name):
                name, chain = one.targets[0].id, self._chain(one.value)
                if chain is not None and name in self._bound and bound.count(name) == 1:
                    self._aliases[name] = chain
        self._loaded: set[str] = set()
        for child in node.body if isinstance(node.body, list) else [node.body]:
            self._walk(child)
        self.found = [one for one in self.found if one.name in self._loaded or not one.name]

    def _walk(self, node: ast.AST, into: Use | None = None, name: str = "") -> None:
        if isinstance(node, DROPPED):
            return
        if isinstance(node, STORES):
            self._store(node)
        elif isinstance(node, ast.Call) and called(node) in QUIET:
            return
        elif (chain := self._chain(node)) is not None:
            self.found.append(chain._replace(into=into, name=name))
        else:
            self._loaded |= {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else set()
            skipped = node.test if isinstance(node, ast.If) and not decides(node) else None
            for child in ast.iter_child_nodes(node):
                if child is not skipped:
                    self._walk(child, into, name)

    def _store(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
        some, value = (targets[0] if len(targets) == 1 else None), node.value
        is_both = isinstance(some, ast.Tuple) and isinstance(value, ast.Tuple)
        pairs = list(zip(some.elts, value.elts, strict=False)) if is_both else []  # type: ignore[union-attr]
        if is_both and len(some.elts) == len(value.elts):  # type: ignore[union-attr]
            for one, part in pairs:
                self._give([one], part, counts=False)
        else:
            self._give(targets, value, counts=isinstance(node, ast.AugAssign))

    def _give(self, targets: list[ast.expr], value: ast.expr | None, *, counts: bool) -> None:
        for target in targets:
            for one in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if isinstance(one, ast.Subscript) and not isinstance(one.slice, ast.Constant):
                    self._walk(one.slice)
        kept = [chain for target in targets if (chain := self._chain(target, stored=True)) is not None]
        into = kept[0] if len(kept) == len(targets) else None
        before, name = len(self.found), targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""
        if value is not None and name not in self._aliases:
            self._walk(value, into, name if name in self._bound else "")
        for to in kept:
            mine = [use for use in self.found[before:] if (use.root, use.steps) == (to.root, to.steps)]
            (self.counts if mine or counts else self.stores).add(to.last)
            self.found = [use for use in self.found if not any(use is other for other in mine)]
        parts = [part for target in targets for part in ast.walk(target)] if not kept else []
        self.stores |= {part.attr for part in parts if isinstance(part, ast.Attribute) and is_stored(part)}

    def _chain(self, node: ast.AST, *, stored: bool = False) -> Use | None:
        """Return the chain that an expression is, from a name that is not the function's own."""
        steps: list[tuple[bool, str | int]] = []
        line = getattr(node, "lineno", 0)
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            if isinstance(node, ast.Attribute):
                steps.append((False, node.attr))
            else:
                key = element(node.slice)
                if key is None:
                    return None
                steps.append((True, key))
            node = node.value
        if not isinstance(node, ast.Name) or (stored and not steps and node.id in self._bound):
            return None
        if node.id in self._aliases:
            alias = self._aliases[node.id]
            return Use(alias.root, (*alias.steps, *reversed(steps)), line)
        return None if node.id in self._bound else Use(node.id, tuple(reversed(steps)), line)


def is_stored(node: ast.Attribute) -> bool:
    """Tell whether an attribute is set."""
    return isinstance(node.ctx, ast.Store)


def element(node: ast.expr) -> str | int | None:
    """Return the constant that an element is taken by."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = element(node.operand)
        return -inner if isinstance(inner, int) else None
    known = isinstance(node, ast.Constant) and type(node.value) in (str, int)
    return node.value if known else None  # type: ignore[attr-defined]


def called(node: ast.Call) -> str:
    """Name what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def decides(node: ast.If) -> bool:
    """Tell whether a branch returns, or gives a value to a name or an element: a condition of what is computed."""
    inner = [one for child in [*node.body, *node.orelse] for one in [child, *within(child)]]
    ends = any(isinstance(one, ast.Return) for one in inner)
    return ends or any(isinstance(one, (ast.Name, ast.Subscript)) and isinstance(one.ctx, ast.Store) for one in inner)


def within(node: ast.AST) -> Iterator[ast.AST]:
    """List what is in a function, and not in functions in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, SCOPES):
            yield child
            yield from within(child)
