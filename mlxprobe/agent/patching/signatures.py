"""What a wrapper must know of the function that it wraps."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.faithful import KEYWORDS, OURS, VARIABLE, faithful, original_of
from mlxprobe.agent.patching.unbound import Unbound

OPENING, CLOSING = {"(", "[", "{"}, {")", "]", "}"}
PARTS = re.compile(r"([][(){},])")


def like(original: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator as `functools.wraps`, which keeps from binding what does not bind.

    A wrapper of a Python function has its parameters, defaults and annotations, and shares what is set on it.
    Functions that MLX 0.26 makes have a `__qualname__` of None. An object of the program's own that can be called is
    asked for no name.
    """

    def decorate(made: Callable[..., Any]) -> Callable[..., Any]:
        if type(original) is FunctionType and is_pythons(original):
            return faithful(original, made, shares=not str(original.__module__).startswith("mlx."))
        own = static.method(original, "__call__") is not None
        named = [name for name in functools.WRAPPER_ASSIGNMENTS if isinstance(getattr(original, name, None), str)]
        wrapper = functools.wraps(original, assigned=() if own else named, updated=())(made)
        if static.has(original, "__get__"):
            return wrapper
        found = Unbound(wrapper, original)
        for name in () if own else named:
            setattr(found, name, getattr(original, name))
        return found

    return decorate


def is_pythons(function: FunctionType) -> bool:
    """Check whether a function is not a wrapper that we have put around one of C, and its parameters have names."""
    own = function.__code__.co_filename.startswith(OURS) and original_of(function) is None
    return not own and all(name.isidentifier() for name in function.__code__.co_varnames)


def described(function: Callable[..., Any], argnums: Any = None, argnames: Any = ()) -> Callable[..., dict[str, Any]]:
    """Return what names a call's data: arguments that no gradient is `taken` of, modules left out; or the others."""
    chosen = {0} if argnums is None and not argnames else {argnums} if isinstance(argnums, int) else set(argnums or ())

    def describe(args: tuple[Any, ...], kwargs: dict[str, Any], *, taken: bool = False) -> dict[str, Any]:
        names = parameters(function)
        named = {
            (names[k] if k < len(names) else f"argument {k}"): one
            for k, one in enumerate(args)
            if (k in chosen) is taken
        }
        named |= {name: one for name, one in kwargs.items() if (name in argnames) is taken}
        return {name: one for name, one in named.items() if taken or not static.is_module(one)}

    return describe


def parameters(function: Any) -> list[str]:
    """Name a function's parameters as its signature has them; none of what has no signature.

    Of a wrapper those of what it wraps; of a function of `mlx.core` those of its first form.
    """
    while type(function) in (FunctionType, Unbound) and (held := vars(function)).keys() & {
        "__wrapped__",
        "__signature__",
    }:
        if "__signature__" in held:
            break
        function = held["__wrapped__"]
    if static.origin(function).startswith(("nanobind", "mlx.core")):
        forms = getattr(function, "__nb_signature__", ())
        return listed(forms[0][0]) if forms else []
    if static.is_a(function, BuiltinFunctionType) and function.__text_signature__:
        return listed(function.__text_signature__)
    if type(function) is FunctionType and not vars(function).keys() & {"__wrapped__", "__signature__"}:
        code = function.__code__
        names, taken = code.co_varnames, code.co_argcount
        last = taken + code.co_kwonlyargcount
        many = bool(code.co_flags & VARIABLE)
        rest = names[last + many : last + many + bool(code.co_flags & KEYWORDS)]
        return [*names[:taken], *names[last : last + many], *names[taken:last], *rest]
    called = static.method(function, "__call__")
    if static.is_a(function, MethodType) or called is not None:
        return parameters(called or function.__func__)[1:]
    import inspect  # takes as long as a whole look

    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


@functools.lru_cache(256)
def listed(signature: str) -> list[str]:
    """Name the parameters in a signature such as `def take(a: array, /, axis: int | None = None) -> array`."""
    parts, depth = [""], 0
    for token in PARTS.split(signature.partition("(")[2]):
        if token in CLOSING and not depth:
            break
        depth += (token in OPENING) - (token in CLOSING)
        if token == "," and not depth:
            parts.append("")
        else:
            parts[-1] += token
    names = [part.partition(":")[0].partition("=")[0].strip().lstrip("*") for part in parts]
    return [name for name in names if name and name[0] not in "/$"]
