"""The main thread's stack of a watched process: its size, and how it is made larger without a risk."""

from __future__ import annotations

import os
import resource

from mlxprobe.system import LINUX

MAPS = "/proc/self/maps"
STRICT = "2"  # overcommitment: an address range counts as memory there
GAP_BYTES = 1 << 22  # to the mapping below
ATTRIBUTES_BYTES = 256  # of a `pthread_attr_t`


def grown(least: int, wanted: int) -> int:
    """Let the main thread's stack grow to the wanted bytes, or less where there is less room; return its size.

    0 where the calling thread is not on that stack, where it stays smaller than the `least`, and on other systems.
    Linux extends the stack when an address in it is used, as far as the limit of the process allows at that moment.
    Here a system call uses the address: one that cannot be used is an error and no crash. The limit is restored.

    Raises:
        Exception: no ctypes, no /proc, a limit that may not be set.
    """
    if not LINUX:
        return 0
    low, high, below = _ranges()
    wanted = min(wanted, high - below - GAP_BYTES)
    if high - low < least <= wanted and not _is_strict():
        _extend(high - wanted, wanted)
        low, high, _ = _ranges()
    return high - low if high - low >= least and low <= _top() <= high else 0


def _extend(address: int, size: int) -> None:
    import ctypes

    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    addresses, _ = resource.getrlimit(resource.RLIMIT_AS)
    if resource.RLIM_INFINITY != hard < size + GAP_BYTES or addresses != resource.RLIM_INFINITY:
        return  # the program may need the addresses
    read = ctypes.CDLL(None).read
    read.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
    zeros = os.open("/dev/zero", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if soft != resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_STACK, (max(soft, size + GAP_BYTES), hard))
        read(zeros, address, 1)
    finally:
        try:
            resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
        finally:
            os.close(zeros)


def _ranges() -> tuple[int, int, int]:
    """Return where the stack begins and ends, and where the mapping below it ends."""
    below = 0
    with open(MAPS, encoding="utf-8", errors="replace") as maps:
        for line in maps:
            low, high = (int(one, 16) for one in line.split(None, 1)[0].split("-"))
            if line.rstrip().endswith("[stack]"):
                return low, high, below
            below = high
    return 0, 0, 0


def _top() -> int:
    """Return where the calling thread's stack ends: that of a fork's first thread may be another than the main one."""
    import ctypes

    library, attributes = ctypes.CDLL(None), ctypes.create_string_buffer(ATTRIBUTES_BYTES)
    library.pthread_self.restype = ctypes.c_void_p
    library.pthread_getattr_np.argtypes = ctypes.c_void_p, ctypes.c_void_p
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    if library.pthread_getattr_np(library.pthread_self(), attributes):
        return 0
    library.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    library.pthread_attr_destroy(attributes)
    return (address.value or 0) + size.value


def _is_strict() -> bool:
    with open("/proc/sys/vm/overcommit_memory", encoding="utf-8") as mode:
        return mode.read().strip() == STRICT
