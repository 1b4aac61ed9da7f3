"""Functions of Python's own, bound at its start: a program, a test or a library may replace them later."""

from _thread import allocate_lock, get_ident, get_native_id, stack_size, start_new_thread
from atexit import register as at_exit
from gc import get_objects, get_referents
from os import O_NONBLOCK, O_WRONLY, close, fstat, getpid, getppid, register_at_fork, sysconf, unlink, write
from os import open as open_file
from sys import _getframe as frame
from time import monotonic, process_time, sleep, thread_time
from weakref import ref

__all__ = [
    "O_NONBLOCK",
    "O_WRONLY",
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
    "register_at_fork",
    "sleep",
    "stack_size",
    "start_new_thread",
    "sysconf",
    "thread_time",
    "unlink",
    "write",
]
