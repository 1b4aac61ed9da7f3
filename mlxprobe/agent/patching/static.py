"""Objects of the program, read without its code: by their types, and past what their classes make of an access.

A configuration may make what it is asked for, a proxy load what it stands for, an overridden method count its calls.
Nothing here looks up an attribute of such an object, asks for its `__class__`, or calls what its class overrides.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial, partialmethod
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from mlxprobe.agent.patching.faithful import original_of
from mlxprobe.agent.patching.unbound import Unbound

CONTAINERS = (dict, list, tuple)
SIMPLE = (str, int, float, bool, bytes, type(None))
MISSING = object()

lineage = type.__dict__["__mro__"].__get__  # of a class, whatever its metaclass does
namespace = type.__dict__["__dict__"].__get__
_module = type.__dict__["__module__"].__get__


def is_a(one: Any, kinds: Any) -> bool:
    """Tell whether an object's type is one of some kinds; `isinstance` asks the object for its `__class__` too."""
    return issubclass(type(one), kinds)


def is_array(one: Any) -> bool:
    """Tell whether an object is an array of MLX's."""
    mx = sys.modules.get("mlx.core")
    return mx is not None and issubclass(type(one), mx.array)


def is_numpy(one: Any) -> bool:
    """Tell whether an object is an array of NumPy's."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(type(one), getattr(numpy, "ndarray", ()))


def is_number_of_numpy(one: Any) -> bool:
    """Tell whether an object is an array or a number of NumPy's."""
    numpy = sys.modules.get("numpy")
    return is_numpy(one) or (numpy is not None and issubclass(type(one), getattr(numpy, "generic", ())))


def is_ufunc(one: Any) -> bool:
    """Tell whether an object is a function of NumPy's that goes over elements."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(type(one), getattr(numpy, "ufunc", ()))


def array_types() -> list[type]:
    """List the types of arrays of MLX and NumPy, as far as they are imported."""
    mx, numpy = sys.modules.get("mlx.core"), sys.modules.get("numpy")
    return [*([mx.array] if mx else []), *([numpy.ndarray] if numpy else [])]


def is_data(one: Any) -> bool:
    """Tell whether an object is an array, of MLX's or NumPy's."""
    return is_array(one) or is_numpy(one)


def is_module(one: Any) -> bool:
    """Tell whether an object is a module of `mlx.nn`."""
    base = sys.modules.get("mlx.nn.layers.base")
    return base is not None and issubclass(type(one), getattr(base, "Module", ()))


def is_optimizer(one: Any) -> bool:
    """Tell whether an object is an optimizer: of MLX's, or of a class with the same methods."""
    keeps = has(one, "state") or "state" in attributes(one)
    return keeps and has(one, "apply_gradients") and not is_module(one)


def shape(one: Any) -> tuple[int, ...]:
    """Return the shape of an array; empty for anything else."""
    return tuple(one.shape) if is_data(one) else ()


def count(one: Any) -> int:
    """Count the elements of an array; 0 for anything else."""
    return int(one.size) if is_data(one) else 0


def state(optimizer: Any) -> Any:
    """Return what an optimizer keeps; an empty dict for anything else."""
    return optimizer.state if is_optimizer(optimizer) else {}


def setting(one: Any, name: str, otherwise: Any = None) -> Any:
    """Return an attribute that an object has itself."""
    return attributes(one).get(name, otherwise)


def static(kind: type, name: str) -> Any:
    """Return what a class or one of its bases has under a name, unbound; `MISSING` where none has it."""
    return next((known[name] for base in lineage(kind) if name in (known := namespace(base))), MISSING)


def has(one: Any, name: str) -> bool:
    """Tell whether an object's class has something under a name."""
    return static(type(one), name) is not MISSING


def wrapped(one: Any) -> Any:
    """Return what a method, a partial function, a decorator or a wrapper is made of; None for anything else."""
    if issubclass(type(one), (MethodType, staticmethod, classmethod)):
        return one.__func__
    if issubclass(type(one), (partial, partialmethod)):
        return one.func
    if type(one) is FunctionType and (original := original_of(one)) is not None:
        return original
    held = {} if issubclass(type(one), type) else attributes(one)
    return next((held[name] for name in ("__wrapped__", "func") if callable(held.get(name))), None)


def whence(one: Any) -> str:
    """Name the module that a function, a class, a module or an object comes from."""
    if issubclass(type(one), ModuleType):
        return str(one.__name__)
    if issubclass(type(one), type):
        return module_of(one)
    if issubclass(type(one), (FunctionType, BuiltinFunctionType, Unbound)):
        return str(one.__module__ or "")
    return origin(one)


def code(one: Any) -> CodeType | None:
    """Return the code of a plain function; None of anything else."""
    return one.__code__ if issubclass(type(one), FunctionType) else None


def title(one: Any) -> str:
    """Name a function; of anything else its class."""
    named = issubclass(type(one), (FunctionType, BuiltinFunctionType, MethodType, type)) or (
        type(one) is Unbound and "__name__" in attributes(one)
    )
    return str(one.__name__) if named else type(one).__name__


def method(one: Any, name: str) -> Any:
    """Return the plain function of an object's class; None where it is anything else."""
    found = static(type(one), name)
    return found if type(found) is FunctionType else None


def module_of(kind: type) -> str:
    """Name the module of a class."""
    found = _module(kind)
    return found if type(found) is str else "builtins"


def origin(one: Any) -> str:
    """Name the module of an object's class."""
    return module_of(type(one))


def origins(one: Any) -> list[str]:
    """Name the modules of an object's class and its bases."""
    return list(map(module_of, lineage(type(one))))


def attributes(one: Any) -> dict[str, Any]:
    """Return an object's own `__dict__`, or a class's; empty where it has none."""
    if issubclass(type(one), type):
        return dict(namespace(one))
    found = static(type(one), "__dict__")
    if type(found) not in (GetSetDescriptorType, MemberDescriptorType):
        return {}
    held = found.__get__(one)
    return held if type(held) is dict else {}


def entries(one: Any) -> list[tuple[Any, Any]]:
    """List the keys and values of a dict, or the places and values of a list or tuple; nothing of anything else."""
    if issubclass(type(one), dict):
        return list(dict.items(one))
    return list(enumerate(children(one)))


def at(tree: Any, path: Iterable[Any]) -> Any:
    """Return what is at the end of a path through dicts, lists and tuples; None where there is nothing."""
    try:
        for key in path:
            kind = type(tree)
            if issubclass(kind, dict):
                tree = dict.get(tree, key)  # `dict.__getitem__` would call a `__missing__` of its class
            else:
                tree = (list if issubclass(kind, list) else tuple).__getitem__(tree, key)
    except (IndexError, TypeError):
        return None
    return tree


def children(one: Any) -> list[Any]:
    """List the values of a dict, list, tuple or deque; nothing of anything else."""
    base = _container(one)
    return [] if base is None else list(dict.values(one) if base is dict else base.__iter__(one))


def copied(one: Any) -> Any:
    """Return a plain dict or list of what a container holds."""
    return dict(dict.items(one)) if issubclass(type(one), dict) else children(one)


def first(one: Any) -> Any:
    """Return the first value of a tuple or list; anything else as it is."""
    return next(iter(children(one)), one) if issubclass(type(one), (tuple, list)) else one


def size(one: Any) -> int:
    """Count the entries of a container; 0 for anything else."""
    base = _container(one)
    return 0 if base is None else int(base.__len__(one))


def last(one: Any, count: int) -> list[Any]:
    """List the last values of a long list, tuple or deque."""
    base = _container(one)
    return [] if base in (None, dict) else [base.__getitem__(one, k) for k in range(-count, 0)]


def _container(one: Any) -> Any:
    return next((base for base in (*CONTAINERS, deque) if issubclass(type(one), base)), None)


def is_filled(cell: CellType) -> bool:
    """Tell whether a closure's variable has a value yet; to compare cells would compare their values."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def named(key: Any) -> str:
    """Return the text of a key; of one of the program's own classes, the name of the class."""
    return str(key) if type(key) in SIMPLE else type(key).__name__


def texts(pairs: list[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """Name the keys of some entries."""
    return ((named(key), one) for key, one in pairs)
