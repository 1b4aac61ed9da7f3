"""Read the source of one function: what it writes to that is not its own."""

from __future__ import annotations

import ast
import functools
import itertools
import linecache
import operator
import re
from collections import deque
from collections.abc import Callable, Iterator
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

from mlxprobe.agent.introspection.trees import is_optimizer, is_trained
from mlxprobe.agent.patching import static

SPEAKS = {"print", "input", "open", "exec", "eval", "setattr", "delattr", "next", "breakpoint", "__import__", "globals"}
CHANGES = {"append", "extend", "insert", "remove", "pop", "popitem", "popleft", "appendleft", "clear", "update"}
CHANGES |= {"setdefault", "add", "discard", "reverse", "write", "writelines", "writerow", "send", "put", "put_nowait"}
CHANGES |= {"sort", "rotate", "extendleft", "move_to_end", "subtract", "fill", "partition", "resize", "setflags"}
CHANGES |= {"difference_update", "intersection_update", "symmetric_difference_update", "byteswap", "tofile", "dump"}
SPEAKS |= {"exit", "quit", "compile"}
CHANGES |= {"setfield", "itemset"}
FILLS = {"copyto", "place", "put", "putmask", "put_along_axis", "fill_diagonal"}  # functions of NumPy
C_METHODS = (MethodDescriptorType, ClassMethodDescriptorType, WrapperDescriptorType)
FUNCTIONS_OF_NUMPY = re.compile(r"ufunc|_ArrayFunctionDispatcher|[dD][tT]ype")
QUIET = {"mlx", "nanobind", "weakref", "typing", "types", "operator", "re", "enum", "functools", "abc"}
QUIET |= {"datetime", "decimal", "fractions"}  # modules of types in C whose methods change nothing
# what texts, numbers and containers can be asked for; what changes them is in CHANGES
READS = {name for kind in (str, bytes, dict, list, tuple, set, frozenset, int, float, complex) for name in dir(kind)}
MLX_CHANGES = re.compile(r"eval|save|set_|seed|reset_|metal|distributed|export|new_stream|load|compile$")
MAKES = {"dict", "list", "set", "defaultdict", "deque", "OrderedDict", "Counter", "sorted", "copy", "deepcopy"}
MAKES |= {"tree_map", "tree_unflatten", "tree_flatten", "tree_merge", "tree_map_with_path"}
FRESH = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Tuple, ast.Constant, ast.JoinedStr)
GROWS = (ast.List, ast.ListComp, ast.Tuple, ast.Set, ast.Dict)
PLAIN = (bool, int, float, str)
VALUES = (*PLAIN, bytes, complex, tuple, frozenset, range)  # nothing changes them
PLAIN_BASES = {object, *VALUES, type(None), list, dict, set, deque, BaseException, Exception}
WRITES = re.compile(r"__(next|set|del|i(?!n)|call)")  # methods such as `__setitem__`
IN_PLACE = re.compile(r"(set|del)item|i(?!s_|n|tem)")  # functions of `operator`
COMPARES: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
UNKNOWN = object()
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@functools.cache
def functions(file: str) -> dict[tuple[str, int], list[Function]]:
    """List the functions of a source file by their name and first line, as code objects have them."""
    found: dict[tuple[str, int], list[Function]] = {}
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, SCOPES):
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            found.setdefault((getattr(node, "name", "<lambda>"), first), []).append(node)
    return found


def has_state(one: Any) -> bool:
    """Tell whether an object has methods in C that may change it: a generator of numbers, a queue, a file, a lock.

    Methods in Python are read when they run. Arrays, modules and containers are judged by what is done with them.
    """
    if static.is_a(one, (type, FunctionType, BuiltinFunctionType, ModuleType, *C_METHODS, MethodWrapperType)):
        return False
    if static.is_number_of_numpy(one) or static.is_array(one):
        return False
    for base in static.lineage(type(one)):
        top = static.whence(base).lstrip("_").partition(".")[0]
        if base in PLAIN_BASES or top in QUIET:
            continue
        known = static.namespace(base)
        if top == "builtins":
            if "__next__" in known:
                return True
        elif any(static.is_a(method, C_METHODS) for method in known.values()):
            return top != "numpy" or not FUNCTIONS_OF_NUMPY.search(base.__name__)
    return False


class Reader:
    """Read one function: what it writes to that is not its own."""

    def __init__(self, node: Function, scope: dict[str, Any], changed: list[Any], harmless: set[str]) -> None:
        self._node = node
        self._scope = scope
        self._harmless = harmless
        self._changed = changed
        self.skips = False  # branches that are not taken this time
        self.unresolved: dict[str, int] = {}  # methods of what is not known, with their lines: Python's are read later
        self._nodes = list(self._within(node))
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        self._arguments = [one.arg for one in every if one is not None]
        self._bound: dict[str, list[ast.expr]] = {}
        self._bindings = [one.id for one in self._nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
        for one in self._nodes:
            self._bind(one)

    def _within(self, node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, SCOPES):  # a function in it is read when it runs
                yield child
                yield from self._within(child)

    def _taken(self, node: ast.AST) -> Iterator[ast.AST]:
        """List what is in a function but for branches that this call's arguments, or its module's settings, exclude."""
        out: list[ast.stmt] = []
        if isinstance(node, ast.If) and (holds := self._holds(node.test)) is not UNKNOWN:
            out, self.skips = node.orelse if holds else node.body, True
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, SCOPES) and not any(child is one for one in out):
                yield child
                yield from self._taken(child)

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    self._bound.setdefault(target.id, []).append(node.value)
                parts = target.elts if isinstance(target, ast.Tuple) else []
                for place, one in enumerate(itertools.takewhile(lambda part: isinstance(part, ast.Name), parts)):
                    part = ast.Subscript(node.value, ast.Constant(place), ast.Load())
                    self._bound.setdefault(ast.unparse(one), []).append(part)
        elif isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.target, ast.Name):
            element = ast.Subscript(node.iter, ast.Name("any", ast.Load()), ast.Load())
            self._bound.setdefault(node.target.id, []).append(element)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            self._bound.setdefault(node.id, [])

    def effects(self) -> Iterator[tuple[str, int]]:
        """List what the function does that a second call could show, with its lines."""
        for node in self._taken(self._node):
            if effect := self._effect(node):
                yield effect, getattr(node, "lineno", self._node.lineno)

    def _effect(self, node: ast.AST) -> str:
        effect = ""
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            effect = f"writes {', '.join(node.names)}"
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            effect = self._stores(node)
        elif isinstance(node, ast.Call):
            effect = self._calls(node)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            effect = self._adds(node, node.target.id)
        elif isinstance(node, ast.Raise) and node.exc is not None:
            effect = "ends the program" if "SystemExit" in ast.unparse(node.exc) else ""
        elif isinstance(node, (ast.For, ast.comprehension)):
            held = static.static(type(self._value(node.iter)), "__next__") is not static.MISSING
            effect = f"iterates {ast.unparse(node.iter)}" if held else ""
        elif isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.ClassDef)):
            effect = f"has a {type(node).__name__}"
        elif isinstance(node, (ast.Name, ast.Attribute)) and has_state(found := self._value(node)):
            effect = f"uses {ast.unparse(node)}, a {type(found).__name__}"
        return effect

    def _adds(self, node: ast.AugAssign, name: str) -> str:
        """Return the effect of adding in place to a list or an array that this call has not made."""
        held = [value for one in self._bound.get(name, []) for value in self._alternatives(one)]
        outside = any(static.is_a(one, (list, set, dict, deque)) or static.is_numpy(one) for one in held)
        unknown = name in self._arguments or any(one is UNKNOWN for one in held)
        return f"adds to {name}" if outside or (unknown and isinstance(node.value, GROWS)) else ""

    def _alternatives(self, node: ast.expr, depth: int = 4) -> list[Any]:
        """List what an expression may be, of what this call has not made; `UNKNOWN` where that cannot be read."""
        if not depth or makes(node):
            return []
        if isinstance(node, ast.Name) and node.id in self._bound:
            parts: list[ast.expr] = self._bound[node.id]
        elif isinstance(node, (ast.BoolOp, ast.IfExp, ast.NamedExpr)):
            parts = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)]
        elif isinstance(node, (ast.Call, ast.Subscript, ast.Attribute)) and self._value(node) is UNKNOWN:
            return [*self._parts_of_owners(node, depth - 1), UNKNOWN]
        else:
            value = self._value(node)
            return [] if value is UNKNOWN else [value]
        return [value for one in parts for value in self._alternatives(one, depth - 1)]

    def _parts_of_owners(self, node: ast.expr, depth: int) -> Iterator[Any]:
        """List what a call, an element or an attribute may be a part, or a view, of."""
        owners = [node.value] if isinstance(node, (ast.Subscript, ast.Attribute)) else []
        if isinstance(node, ast.Call):
            owners = [*node.args, *(one.value for one in node.keywords)]
            owners += [node.func.value] if isinstance(node.func, ast.Attribute) else []
        for owner in [value for one in owners for value in self._alternatives(one, depth)]:
            parts = static.children(owner) if static.is_a(owner, static.CONTAINERS) else []
            yield from [owner] if static.is_numpy(owner) else parts

    def _stores(self, node: ast.Attribute | ast.Subscript) -> str:
        root, owner = self._root(node), self._value(node.value)
        if self._is_own(node.value) or (getattr(self._node, "name", "") == "__init__" and root in self._arguments[:1]):
            return ""
        itself = self._scope.get(self._arguments[0]) if self._arguments else None
        if is_trained(owner) or (static.is_a(owner, dict) and root in self._arguments and is_optimizer(itself)):
            self._changed.append(owner)  # of an optimizer, the state of one parameter that it is handed
            return ""
        sliced = isinstance(node, ast.Subscript) and isinstance(node.slice, (ast.Slice, ast.Tuple))
        local = root in self._bound or root in self._arguments
        if local and (static.is_data(owner) or (owner is UNKNOWN and sliced)):
            return ""  # part of an array: the program's own are copies then
        return f"writes {ast.unparse(node)}"

    def _calls(self, node: ast.Call) -> str:
        function = node.func
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        hidden = [one for one in (function, *given) if self._hides(one)] + [
            one for one in given if self._is_change(one)
        ]
        hidden += [one.value for one in node.keywords if one.arg == "out" and not self._is_own(one.value)]
        if hidden or isinstance(function, ast.Name):
            name = ast.unparse(hidden[0] if hidden else function)
            return f"calls {name}" if hidden or (name in SPEAKS and name not in self._bound) else ""
        if not isinstance(function, ast.Attribute) or ".at[" in ast.unparse(function):
            return ""
        owner = self._value(function.value)
        if static.is_a(owner, ModuleType):
            return self._calls_of(owner, function)
        if static.origin(owner).startswith(("random", "numpy.random")):
            return f"calls {ast.unparse(function)}"
        if function.attr not in CHANGES or self._is_own(function.value) or is_trained(owner):
            if is_trained(owner) and function.attr in CHANGES:
                self._changed.append(owner)
            if owner is UNKNOWN and function.attr not in READS and not is_of_arrays(function.attr):
                self.unresolved.setdefault(function.attr, node.lineno)
            return "calls " + ast.unparse(function) if static.is_ufunc(owner) and function.attr == "at" else ""
        return f"calls {ast.unparse(function)}"

    def _hides(self, node: ast.expr) -> bool:
        """Tell whether an expression is a function of C, under some name, that changes or says something.

        Functions of Python are read when they run. Python reports no event for a C function that `functools.partial`
        calls.
        """
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            return static.is_a(self._value(node.args[0]) if node.args else UNKNOWN, (list, dict, set))
        called = self._named(node)
        while static.is_a(called, functools.partial):
            called = called.func
        if static.is_a(called, operator.methodcaller):
            return True
        if static.is_a(called, C_METHODS):  # `object.__setattr__`, `list.append`
            return WRITES.match(called.__name__) is not None or called.__name__ in CHANGES
        if static.is_a(called, MethodWrapperType):
            return WRITES.match(called.__name__) is not None
        return static.is_a(called, BuiltinFunctionType) and self._changes(called, node)

    def _changes(self, called: Any, node: ast.expr) -> bool:
        """Tell whether a function of C changes or says something, or a method of what it is bound to."""
        owner, name = called.__self__, called.__name__
        if owner is None or static.is_a(owner, ModuleType):
            top = str(called.__module__ or "builtins").lstrip("_").partition(".")[0]
            quiet = name not in SPEAKS if top == "builtins" else top in self._harmless
            return not quiet or (top == "operator" and IN_PLACE.match(name) is not None)
        if static.is_a(owner, (list, dict, set, deque)):
            return name in CHANGES and not self._is_own(node)
        is_plain = isinstance(node, ast.Attribute) and node.attr == name  # then what it is called on decides
        return not is_plain and not static.is_a(owner, (*VALUES, type))

    def _named(self, node: ast.expr) -> Any:
        """Return what an expression stands for: also what a class has, and what a name is bound to just once."""
        made = self._bound.get(node.id, []) if isinstance(node, ast.Name) else []
        if isinstance(node, ast.Name) and len(made) == self._bindings.count(node.id) == 1:
            return self._named(made[0])
        value = self._value(node)
        if value is UNKNOWN and isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            value = static.static(type(owner), node.attr) if owner is not UNKNOWN else UNKNOWN
            value = owner.__dict__.get(node.attr, value) if static.is_a(owner, ModuleType) else value
        return value

    def _is_change(self, node: ast.expr) -> bool:
        """Tell whether an expression is a method that changes a list or the like which is not this call's own."""
        if not isinstance(node, ast.Attribute) or node.attr not in CHANGES:
            return False
        owner = self._value(node.value)
        return static.is_a(owner, (list, dict, set, deque)) and not is_trained(owner)

    def _calls_of(self, module: ModuleType, function: ast.Attribute) -> str:
        top = module.__name__.partition(".")[0]
        called = static.attributes(module).get(function.attr)
        if top == "mlx":
            changes = module.__name__.startswith("mlx.core") and MLX_CHANGES.match(function.attr)
            return f"calls {ast.unparse(function)}" if changes else ""
        if top == "weakref" and function.attr == "finalize":
            return f"calls {ast.unparse(function)}"
        fills = top == "numpy" and function.attr in FILLS
        quiet = top in self._harmless and "random" not in module.__name__ and not fills
        compiled = fills or not static.is_a(called, FunctionType)
        if quiet or not compiled or static.is_a(called, type):
            return ""  # Python functions are read when they run
        return f"calls {ast.unparse(function)}"

    def _root(self, node: ast.expr) -> str:
        while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
            node = node.value
        return node.id if isinstance(node, ast.Name) else ""

    def _is_own(self, node: ast.expr) -> bool:
        """Tell whether an expression is something that this call of the function has made."""
        if not isinstance(node, ast.Name):
            return makes(node)
        made = self._bound.get(node.id, [])
        if len(made) != self._bindings.count(node.id):
            return False
        return bool(made) and all(makes(one) or self._is_returned(one) for one in made)

    def _is_returned(self, node: ast.expr) -> bool:
        """Tell whether a part of what a function returns is something that each call of it makes."""
        if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call)):
            return False
        called = self._value(node.value.func)
        code = static.code(called)
        known = functions(code.co_filename).get((code.co_name, code.co_firstlineno), []) if code else []
        return len(known) == 1 and Reader(known[0], {}, [], set()).returns_its_own(ast.literal_eval(node.slice))

    def returns_its_own(self, place: int) -> bool:
        """Tell whether what stands at one place of the tuple that is returned is the function's own, at each return."""
        ends = [one.value for one in self._nodes if isinstance(one, (ast.Return, ast.Yield, ast.YieldFrom))]
        parts = [one.elts[place : place + 1] for one in ends if isinstance(one, ast.Tuple)]
        return bool(ends) and len(parts) == len(ends) and all(part and self._is_own(part[0]) for part in parts)

    def _value(self, node: ast.expr) -> Any:
        """Return what an expression stands for as the function begins; `UNKNOWN` for what it binds itself."""
        if isinstance(node, ast.Name):
            return UNKNOWN if node.id in self._bound else self._scope.get(node.id, UNKNOWN)
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            if owner is UNKNOWN:
                return UNKNOWN
            held = {
                **static.attributes(owner),
                **(dict(static.entries(owner)) if static.is_a(owner, dict) else {}),
            }
            return held.get(node.attr, UNKNOWN)
        return UNKNOWN

    def _holds(self, test: ast.expr) -> Any:
        """Tell whether a condition holds; `UNKNOWN` where it asks for more than what is handed over and set."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self._holds(test.operand)
            return UNKNOWN if inner is UNKNOWN else not inner
        if isinstance(test, ast.BoolOp):
            parts, ends = [self._holds(one) for one in test.values], isinstance(test.op, ast.Or)
            return ends if ends in parts else UNKNOWN if UNKNOWN in parts else not ends
        if isinstance(test, ast.Compare) and type(test.ops[0]) in COMPARES and len(test.ops) == 1:
            sides = self._plain(test.left), self._plain(test.comparators[0])
            return UNKNOWN if UNKNOWN in sides else bool(COMPARES[type(test.ops[0])](*sides))
        if isinstance(test, ast.Call) and ast.unparse(test.func) == "isinstance" and len(test.args) == 2:
            one, kind = (self._value(arg) for arg in test.args)
            return isinstance(one, kind) if one is not UNKNOWN and isinstance(kind, type) else UNKNOWN
        value = self._plain(test)
        return value if value is UNKNOWN else bool(value)

    def _plain(self, node: ast.expr) -> Any:
        """Return a constant, an argument that is None, or what a trained module is set to, also by a name for it."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name) and node.id in self._bound and node.id not in self._arguments:
            made = self._bound[node.id]
            return self._plain(made[0]) if len(made) == self._bindings.count(node.id) == 1 else UNKNOWN
        value = self._value(node)
        is_set = isinstance(node, ast.Attribute) and is_trained(self._value(node.value)) and isinstance(value, PLAIN)
        return value if is_set or value is None else UNKNOWN


@functools.cache
def is_of_arrays(name: str) -> bool:
    """Tell whether arrays have a method of this name, which changes nothing."""
    return any(hasattr(kind, name) for kind in static.array_types())


def makes(node: ast.expr) -> bool:
    """Tell whether an expression makes a new list, dict or the like."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in MAKES
    return isinstance(node, FRESH)
