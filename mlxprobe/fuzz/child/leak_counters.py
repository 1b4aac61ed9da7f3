"""What the process holds: the bytes of MLX's buffers, and those that anything has asked for and not given back."""

from __future__ import annotations

import ctypes
import gc
import itertools
from collections.abc import Callable
from typing import Any

import mlx.core as mx

STAGES = ((3, 1), (64, 1), (64, 3))  # calls between two looks, and looks: to warm, to suspect, to be sure
ON_GPU = (*STAGES, (512, 2))  # CUDA's backend keeps up to 400 graphs and 128 convolutions before it lets one go
CHUNK = 32  # bytes: the smallest piece that glibc gives out


class _Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
    )]  # fmt: skip


def _asked() -> Callable[[], int]:
    """Return what tells the heap's bytes in use: glibc does exactly, elsewhere nothing does."""
    try:
        told = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return lambda: 0
    told.restype = _Info
    return lambda: int((info := told()).uordblks + info.hblkhd)


IN_USE = _asked()
gc.freeze()  # what is imported lives as long as the process; without it a collection takes some 0.1 ms


def growth(way: Callable[[], Any]) -> dict[str, list[float]]:
    """Return the bytes that each further call, of which nothing is kept, adds to what is held, look by look.

    MLX's own count is of buffers; the heap also has what describes them. Threads keep some kilobytes to themselves, and
    caches fill; so what has grown by the least that every call could leave is looked at again after more of them.
    """
    found: dict[str, list[float]] = {}
    for number, (calls, looks) in enumerate(STAGES if mx.default_device() == mx.cpu else ON_GPU):
        found = _looks(way, calls, looks)
        if number and all(min(each) < CHUNK for each in found.values()):
            return {}
    return found


def _looks(way: Callable[[], Any], calls: int, looks: int) -> dict[str, list[float]]:
    buffers, heap = [], []
    for look in range(looks + 1):
        for _ in range(calls if look else 0):
            way()
        gc.collect()  # what Python frees later, such as modules, is no leak
        mx.synchronize()
        buffers.append(int(mx.get_active_memory()))
        heap.append(IN_USE())
    return {"buffers": _apart(buffers, calls), "heap": _apart(heap, calls)}


def _apart(held: list[int], calls: int) -> list[float]:
    return [(after - before) / calls for before, after in itertools.pairwise(held)]
