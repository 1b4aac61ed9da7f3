"""The footprint of a process on macOS: what its memory limit counts, with the Metal buffers that RSS leaves out.

Written from Apple's `libproc.h` and `sys/resource.h`, and never run.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

LIBRARY = "/usr/lib/libproc.dylib"
RUSAGE_INFO_V0 = 0


class Usage(ctypes.Structure):
    """`struct rusage_info_v0`."""

    _fields_ = (
        ("ri_uuid", ctypes.c_uint8 * 16),
        ("ri_user_time", ctypes.c_uint64),
        ("ri_system_time", ctypes.c_uint64),
        ("ri_pkg_idle_wkups", ctypes.c_uint64),
        ("ri_interrupt_wkups", ctypes.c_uint64),
        ("ri_pageins", ctypes.c_uint64),
        ("ri_wired_size", ctypes.c_uint64),
        ("ri_resident_size", ctypes.c_uint64),
        ("ri_phys_footprint", ctypes.c_uint64),
        ("ri_proc_start_abstime", ctypes.c_uint64),
        ("ri_proc_exit_abstime", ctypes.c_uint64),
    )


@functools.cache
def _libproc() -> Any:
    return ctypes.CDLL(LIBRARY)


def footprint_bytes(pid: int) -> int:
    """Return the footprint of a process; 0 where it cannot be read."""
    used = Usage()
    try:
        failed = _libproc().proc_pid_rusage(pid, RUSAGE_INFO_V0, ctypes.byref(used))
    except (OSError, AttributeError):
        return 0
    return 0 if failed else int(used.ri_phys_footprint)
