"""Functions of Python's own, bound at its start: a program, a test or a library may replace them later."""

from __future__ import annotations

from _thread import allocate_lock, get_ident, get_native_id, stack_size, start_new_thread
from atexit import register as at_exit
from functools import partial as _partial
from gc import get_objects, get_referents
from os import O_NONBLOCK, O_WRONLY, close, fstat, getpid, getppid, sysconf, unlink, write
from os import open as open_file
from os import register_at_fork as _register_at_fork
from sys import _getframe as frame
from time import monotonic, process_time, sleep, thread_time
from typing import TYPE_CHECKING
from weakref import WeakMethod as _WeakMethod
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "O_NONBLOCK",
    "O_WRONLY",
    "after_fork",
    "allocate_lock",
    "at_exit",
    "close",
    "frame",
    "fstat",
    "get_ident",
    "get_native_id",
    "get_objects",
    "get_referents",
    "getpid",
    "getppid",
    "monotonic",
    "open_file",
    "process_time",
    "ref",
    "sleep",
    "stack_size",
    "start_new_thread",
    "sysconf",
    "thread_time",
    "unlink",
    "write",
]


def after_fork(method: Callable[[], object]) -> None:
    """Call a method in every fork, in the child, as long as its object is there: a callback cannot be taken back."""
    _register_at_fork(after_in_child=_partial(_call, _WeakMethod(method)))


def _call(weak: _WeakMethod[Callable[[], object]]) -> None:
    method = weak()
    if method is not None:
        method()
