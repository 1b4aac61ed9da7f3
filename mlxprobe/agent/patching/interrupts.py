"""Exceptions that come into our code from outside: the program's own, which our guards must let through.

A handler of a signal runs wherever the main thread is, and the exception that it raises to stop a loop or to end a
time limit comes up there: in our code too. So does one that another thread sets (`PyThreadState_SetAsyncExc`).
"""

from __future__ import annotations

import os
import sys
from _signal import NSIG, getsignal  # type: ignore[import-not-found] # bound before the program can replace them
from collections.abc import Iterator
from types import CodeType, FunctionType, TracebackType
from typing import Any

from mlxprobe.agent.patching import static

OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "")
RAISED_BY_C = {"builtins", "mlx", "mlxprobe", "numpy"}  # what C code that we call may raise
DEEPEST = 8  # partial functions of methods, one within the other


class Quietly:
    """Drop exceptions of some kinds (by default all), as `contextlib.suppress`, but none that comes from outside."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds or (Exception,)

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        return isinstance(error, self._kinds) and not comes_from_outside(error)


QUIETLY = Quietly()


def comes_from_outside(error: BaseException) -> bool:
    """Check whether a signal handler of the program's raised an exception in our code, or another thread set it."""
    try:
        frames = [trace.tb_frame for trace in _traces(error.__traceback__)]
        codes = {frame.f_code for frame in frames}
        if codes and any(codes & _codes_of(one) for one in _handlers()):
            return True
        return bool(frames) and _is_set(type(error), frames[-1].f_code.co_filename)
    except Exception:  # of ours, about which nothing more can be known
        return False


def let_through(error: BaseException) -> None:
    """Raise an exception again that comes from outside: it is the program's, and no failure of ours.

    Raises:
        BaseException: the given one.
    """
    try:
        if comes_from_outside(error):
            raise error
    finally:
        del error  # its traceback holds this call, and so itself


def _traces(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _handlers() -> Iterator[Any]:
    """List the program's own handlers that are installed now."""
    for number in range(1, NSIG):
        try:
            handler = getsignal(number)
        except ValueError:  # no signal of this system
            continue
        if not static.is_a(handler, (int, type(None))):
            yield handler


def handler_codes() -> set[CodeType]:
    """Return the code that the program's signal handlers run."""
    return {code for one in _handlers() for code in _codes_of(one)}


def _codes_of(one: Any, depth: int = DEEPEST) -> set[CodeType]:
    """List the code that a function, a method, a partial function or an object runs when it is called."""
    found = {one.__code__} if static.is_a(one, FunctionType) else set()
    if static.is_a(one, type):
        parts = [static.static(one, "__new__"), static.static(one, "__init__")]
    else:
        parts = [
            static.wrapped(one),
            static.MISSING if found else static.static(type(one), "__call__"),
        ]
    for part in parts if depth else ():
        if part is not None and part is not static.MISSING:
            found |= _codes_of(part, depth - 1)
    return found


def _is_set(kind: type, file: str) -> bool:
    """Check whether nothing in a file could have raised this kind: the file is ours, and the class the program's."""
    package = static.module_of(kind).partition(".")[0]
    return file.startswith(OURS) and package not in RAISED_BY_C and package not in sys.stdlib_module_names


class Stop(BaseException):
    """A run of the program's code for us is to end here: no `except Exception` of the program's may hold it."""
