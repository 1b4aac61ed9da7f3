"""What a traced function computes with of what is not its own, and whether the program changes that afterwards."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from mlxprobe.agent.compiled.attribute_paths import (
    MISSING,
    content,
    follow,
    is_generator,
    is_host,
    is_number,
    is_parameter,
    is_tree,
    state,
)
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.patching.unbound import Unbound
from mlxprobe.agent.sampling.vmap import MADE_OF
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.compilation import NumberBakedIn

MOST = 2000  # lines of one call: a loop has shown all of its lines by then
FUNCTIONS, READS = 64, 128
FOLLOWED = FunctionType, MethodType, partial, Unbound
PLAIN = (bool, int, float, str)
KEEPS = re.compile(r"^\s*\w[\w.]*(\.\w+|\[.*\])\s*=[^=]|\.(append|setdefault|update)\(")
MODES = {"training", "_training"}  # of modules: another finding's
COUNTED = 8  # calls for which nobody else has changed what a trace has counted


class Read:
    """A chain from a cell, a global name or an object on, and the line that computes with it."""

    def __init__(self, root: Callable[[], Any], whose: Any, steps: Any, use: Any, code: CodeType) -> None:
        self.root, self.steps, self.use, self.code = root, steps, use, code
        self.chain = whose, steps  # its identity
        self.site = code.co_filename, use.line
        self.before: Any = MISSING  # its value as the function began
        self.into: Callable[[], Any] | None = None  # what it is stored in
        self.kept = False  # what it draws is kept for good

    def value(self) -> Any:
        """Return what is there now."""
        return follow(self.root(), self.steps)[0]


class Outside:
    """Remember, for each trace of a function, the numbers that it computed with; compare them at later calls."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._reads: dict[tuple[Any, ...], Read] = {}
        self._stores: set[str] = set()
        self._counts: set[str] = set()
        self._cells: dict[CodeType, dict[str, Any]] = {}
        self._held: dict[int, list[tuple[Read, Any]]] = {}  # by what it was traced for
        self._told: set[Any] = set()  # chains
        self._lines = Lines()  # of the last trace
        self._counted: list[tuple[Read, Any]] = []
        self.drawn: list[call_site.Site] = []  # lines that have drawn numbers by other means than MLX's
        self._failed = False

    def begins(self) -> AbstractContextManager[None]:
        """A trace begins; follow it."""
        if not self._cells and not self._failed:
            self._cells = dict(cells(self._function))
        for one in self._reads.values():
            one.before = state(one.value())
        return self._lines.followed()

    def visit(self, frame: FrameType) -> None:
        """A function of the user's begins, for the first time."""
        try:
            if not self._failed:
                self._read(frame)
        except Exception as error:
            let_through(error)
            self._failed = True  # programs do what they like
            self._reads.clear()

    def _read(self, frame: FrameType) -> None:
        with isolated_import.importable():
            from mlxprobe.agent.compiled.free_variable_reads import Uses
            from mlxprobe.agent.introspection.free_variables import functions
        code = frame.f_code
        for node in functions(code.co_filename).get((code.co_name, code.co_firstlineno), []):
            uses = Uses(node)
            self._counts |= uses.counts
            if code.co_name != "__init__":
                self._stores |= uses.stores
            for use in uses.found:
                if len(self._reads) < READS:
                    self._take(frame, use)

    def _take(self, frame: FrameType, use: Any) -> None:
        root, whose = self._root(frame, use)
        if root is None:
            return
        value, steps = follow(root(), use.steps)
        key = (whose, steps, use.line)
        kind = is_number(value) or is_array(value) or is_tree(value) or is_host(value) or is_generator(value)
        if kind and key not in self._reads:
            self._reads[key] = one = Read(root, whose, steps, use, frame.f_code)
            one.before = state(value)
            one.kept = is_generator(value) and (
                use.into is not None or keeps(frame, static.code(static.wrapped(self._function) or self._function))
            )
            into = self._root(frame, use.into)[0] if use.into is not None else None
            one.into = partial(target, into, use.into.steps) if into is not None else None

    def _root(self, frame: FrameType, use: Any) -> tuple[Callable[[], Any] | None, Any]:
        """Return what gives the object that a chain begins at, now and later, and what tells it from others."""
        code, name = frame.f_code, use.root
        cell = self._cells.get(code, {}).get(name) if name in code.co_freevars else None
        if cell is not None:
            return partial(content, cell), id(cell)
        variables = call_site.variables(frame)
        if name in variables:
            one = variables[name]
            if is_generator(one):
                return lambda: one, id(one)
            if not use.steps or static.is_a(one, ModuleType):
                return None, None
            return holding(one), id(one)
        if name in frame.f_globals:
            return partial(frame.f_globals.get, name, MISSING), (id(frame.f_globals), name)
        return None, None

    def traced(self, key: int) -> None:
        """The trace has ended: what has stayed as it was is what it computes with."""
        held, self._counted = [], []
        for one in self._reads.values():
            now, last = one.value(), one.use.last
            if one.before is MISSING or last in MODES or not self._ran(one):
                continue
            if is_generator(now):
                if state(now) != one.before and not one.kept:
                    self.drawn.append(one.site)
            elif is_number(now) or is_host(now):
                if last in self._stores or (one.into is not None and one.into()):
                    continue
                if state(now) == one.before:
                    held.append((one, state(now)))
                elif last in self._counts:
                    self._counted.append((one, state(now)))
        self._held[key] = held

    def _ran(self, one: Read) -> bool:
        """Return whether the trace ran the line of a chain: branches that it did not take compute nothing."""
        return self._lines.have_run(one.code, one.use.line)

    def arrays(self) -> Iterator[tuple[str, Callable[[], Any], call_site.Site]]:
        """List the arrays that were computed with, and trees of them: name, what gives them later, and the line."""
        for one in self._reads.values():
            value = one.value()
            known = one.use.last in self._stores | self._counts or is_parameter(one.root(), one.steps)
            if (is_array(value) or is_tree(value)) and not known and self._ran(one):
                yield str(one.use), one.value, one.site

    def changed(self, key: int, replayed: int) -> Iterator[tuple[call_site.Site, NumberBakedIn]]:
        """List what is no more what it was in the trace for a call, once, with its line."""
        for one, before in self._held.get(key, ()):
            now = state(one.value())
            if now is not MISSING and now != before and one.chain not in self._told:
                self._told.add(one.chain)
                yield one.site, NumberBakedIn(what=str(one.use), **shown(before, now))
        for one, before in self._counted if replayed >= COUNTED else ():
            if state(one.value()) == before and one.chain not in self._told:
                self._told.add(one.chain)
                yield one.site, NumberBakedIn(what=str(one.use), calls=replayed, **shown(before, before))


def holding(one: Any) -> Callable[[], Any] | None:
    """Return what gives an object later, without keeping it alive; settings of numbers alone may be kept."""
    try:
        return bound.ref(one)
    except TypeError:
        return (lambda: one) if is_plain(one) else None


def is_plain(one: Any) -> bool:
    """Tell whether a container holds numbers and words alone."""
    parts = one.values() if type(one) is dict else one if type(one) in (list, tuple) else ()
    return is_tree(one) and all(part is None or static.is_a(part, PLAIN) or is_plain(part) for part in parts)


def keeps(frame: FrameType, last: CodeType | None) -> bool:
    """Tell whether a line that has led here keeps what it makes: weights that are made when they are first needed."""
    above: FrameType | None = frame
    while above is not None and call_site.whose(above.f_code.co_filename) == OWN:
        if KEEPS.search(linecache.getline(above.f_code.co_filename, above.f_lineno)):
            return True
        above = above.f_back if above.f_code is not last else None
    return False


def target(root: Callable[[], Any], steps: Any) -> bool:
    """Tell whether an attribute is no array, but a number, or its object has gone."""
    value = follow(root(), steps)[0]
    return is_number(value) or (value is MISSING and not steps[-1][0])


def shown(before: Any, now: Any) -> dict[str, Any]:
    """Return what is told of two values, where they are numbers."""
    return {"before": float(before), "now": float(now)} if is_number(before) and is_number(now) else {}


def cells(function: Any) -> Iterator[tuple[CodeType, dict[str, Any]]]:
    """List the code of a function, and of those that it can reach, with the cells that they close over."""
    waiting, known = [function], set[int]()
    while waiting and len(known) < FUNCTIONS:
        one = waiting.pop(0)
        if id(one) in known:
            continue
        known.add(id(one))
        if static.is_a(one, partial):
            waiting.append(one.func)
        elif static.is_a(one, MethodType):
            waiting.append(one.__func__)
        elif static.is_a(one, Unbound):
            waiting += [one.__wrapped__, *vars(one).get(MADE_OF, ())[:1]]
        elif static.is_a(one, FunctionType):
            waiting += [part for part in (static.wrapped(one), *vars(one).get(MADE_OF, ())[:1]) if part]
            code = one.__code__
            closure = dict(zip(code.co_freevars, one.__closure__ or (), strict=False))
            contents = [content(cell) for cell in closure.values()]
            shared = [one.__globals__.get(name) for name in code.co_names]
            waiting += [
                part for part in contents + shared if static.is_a(part, (FunctionType, MethodType, partial, Unbound))
            ]
            if closure and call_site.is_users(code.co_filename):
                yield code, closure


class Lines:
    """The lines that ran, by function; all count as run where they could not be followed."""

    def __init__(self) -> None:
        self._ran: dict[CodeType, set[int]] | None = None

    def have_run(self, code: CodeType, line: int) -> bool:
        """Return whether a line of a function ran when it was followed last."""
        return self._ran is None or code not in self._ran or line in self._ran[code]

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follow the lines that run meanwhile; a debugger, or what measures coverage, is left alone."""
        if sys.gettrace() is not None:
            self._ran = None
            yield
            return
        ran = self._ran = {}

        def begin(frame: FrameType, event: str, _: Any) -> Any:
            code = frame.f_code
            if not call_site.is_users(code.co_filename):
                return None
            lines, left = ran.setdefault(code, set()), MOST

            def follow(frame: FrameType, event: str, _: Any) -> Any:
                nonlocal left
                lines.add(frame.f_lineno)
                left -= 1
                return follow if left else None

            return follow

        sys.settrace(begin)
        try:
            yield
        finally:
            if sys.gettrace() is begin:
                sys.settrace(None)
