"""Wrappers of Python functions that are like them: the same parameters, defaults, annotations, globals, attributes."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any

CALL, ORIGINAL = "_mlxprobe_call", "_mlxprobe_original"  # what a wrapper closes over
VARIABLE, KEYWORDS = 4, 8  # flags of code: `*args`, `**kwargs`
OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_made: dict[Any, CodeType] = {}  # the code of wrappers, by names of parameters


def faithful(original: FunctionType, call: Callable[..., Any], *, shares: bool) -> FunctionType:
    """Return a function that hands its arguments to `call`, and can be taken for `original` except by identity.

    Args:
        original: the function.
        call: takes the arguments of `original`; those with defaults are always given.
        shares: whether what is set on one of the two is set on the other too; else `__wrapped__` leads to `original`.
    """
    code = original.__code__
    made = _code(code).replace(co_name=original.__name__ if type(original.__name__) is str else code.co_name)
    cells = tuple(CellType({CALL: call, ORIGINAL: original}[name]) for name in made.co_freevars)
    wrapper = FunctionType(made, original.__globals__, original.__name__, original.__defaults__, cells)
    wrapper.__kwdefaults__, wrapper.__doc__ = original.__kwdefaults__, original.__doc__
    wrapper.__module__, wrapper.__qualname__ = original.__module__, original.__qualname__
    if hasattr(original, "__annotate__"):  # since Python 3.14; the annotations themselves may be code of the program's
        wrapper.__annotate__ = original.__annotate__  # type: ignore[attr-defined]
    else:
        wrapper.__annotations__ = original.__annotations__
    if hasattr(original, "__type_params__"):
        wrapper.__type_params__ = original.__type_params__  # type: ignore[attr-defined]
    if shares:
        wrapper.__dict__ = original.__dict__
    else:
        wrapper.__dict__.update(original.__dict__)
        wrapper.__wrapped__ = original  # type: ignore[attr-defined]
    return wrapper


def original_of(function: FunctionType) -> FunctionType | None:
    """Return the function that a wrapper is of; None of any other function."""
    names = function.__code__.co_freevars
    if ORIGINAL not in names or not function.__closure__:
        return None
    found: FunctionType = function.__closure__[names.index(ORIGINAL)].cell_contents
    return found


def _code(code: CodeType) -> CodeType:
    """Return the code of a wrapper with the parameters of another function."""
    taken, named = code.co_argcount, code.co_kwonlyargcount
    flags = bool(code.co_flags & VARIABLE), bool(code.co_flags & KEYWORDS)
    key = code.co_varnames[: taken + named + sum(flags)], taken, code.co_posonlyargcount, named, flags
    if key not in _made:
        _made[key] = _compiled(*key)
    return _made[key]


def _compiled(names: tuple[str, ...], taken: int, alone: int, named: int, flags: tuple[bool, bool]) -> CodeType:
    places, words, rest = list(names[:taken]), list(names[taken : taken + named]), list(names[taken + named :])
    many = [f"*{rest.pop(0)}"] if flags[0] else []
    others = [f"**{rest.pop(0)}"] if flags[1] else []
    parameters = [
        *places[:alone],
        *(["/"] if alone else []),
        *places[alone:],
        *many,
        *(["*"] if words and not many else []),
    ]
    forwarded = ", ".join([*places, *many, *(f"{one}={one}" for one in words), *others])
    text = (
        f"def make({CALL}, {ORIGINAL}):\n"
        f"    def wrapper({', '.join([*parameters, *words, *others])}):\n"
        f"        if 0: {ORIGINAL}\n"
        f"        return {CALL}({forwarded})\n"
        "    return wrapper\n"
    )
    held: dict[str, Any] = {}
    exec(compile(text, __file__, "exec"), held)  # noqa: S102 - of the names of parameters alone
    made: CodeType = held["make"](None, None).__code__
    return made
