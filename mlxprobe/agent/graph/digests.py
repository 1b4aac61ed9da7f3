"""Digest arrays in full: two arrays count as the same only if all of their elements are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.patching import static

MOST = 32  # arrays, numbers and words of one batch
HELD_BYTES = 2 << 20  # of a batch, up to the end of its step
READABLE = "biufc"  # kinds of NumPy's types that lend their memory
PLAIN = (bool, int, float, complex, str, bytes, type(None))


def digest(array: Any) -> tuple[object, ...]:
    """Digest an evaluated array, of MLX or of NumPy: its shape, its type and a checksum of its elements in order.

    MLX shares its memory for that, for every type: only a strided array is copied.
    """
    import zlib  # for a look alone

    view = memoryview(array)
    return tuple(array.shape), str(array.dtype), zlib.crc32(view if view.c_contiguous else view.tobytes())


class Batch:
    """All that a call is given as data: MLX's arrays to be read once evaluated, and the rest as it is now."""

    def __init__(self, arrays: dict[int, Any], parts: list[object]) -> None:
        self.arrays = list(arrays.values())
        self._arrays = arrays
        self._parts = parts

    def digest(self) -> tuple[object, ...]:
        """Return what two batches have in common only where all of their parts are the same."""
        return (*self._parts, *((place, digest(one)) for place, one in self._arrays.items()))


def batch(data: Any) -> Batch | None:
    """Gather all parts of a batch; None where it is too large to hold, or has a part of a kind that cannot be read."""
    arrays: dict[int, Any] = {}
    parts: list[object] = []
    waiting = [data]
    while waiting:
        node = waiting.pop()
        if static.is_array(node):
            arrays[len(parts)] = node
            parts.append(type(node))
        elif static.is_a(node, dict) and type(node) is not dict:
            return None
        elif static.is_a(node, (dict, list, tuple)):
            names = tuple(map(static.named, node)) if type(node) is dict else static.size(node)
            parts.append((type(node), names))
            waiting += reversed(static.children(node))
        elif type(node) in PLAIN:
            parts.append((type(node), repr(node) if isinstance(node, (float, complex)) else node))
        elif not (static.is_number_of_numpy(node) and node.nbytes <= HELD_BYTES and node.dtype.kind in READABLE):
            return None
        else:
            parts.append(digest(node))
        if len(parts) > MOST:
            return None
    return Batch(arrays, parts) if sum(one.nbytes for one in arrays.values()) <= HELD_BYTES else None


Pending = Callable[[list[Any]], int]


class Compared:
    """Count the batches that were compared at some steps, and those that differ from one another."""

    def __init__(self) -> None:
        self.times = 0
        self._known: set[tuple[object, ...]] = set()
        self._held: Batch | None = None

    @property
    def different(self) -> int:
        """How many of them are unlike all the others."""
        return len(self._known)

    def restart(self) -> None:
        """Forget all but what is held: calls before the first update may be of one step, and have one batch."""
        self.times, self._known = 0, set()

    def hold(self, data: Any) -> None:
        """Hold what a call is given, until its program has evaluated it."""
        self._held = batch(data)

    def forget(self) -> None:
        """Let go of a batch without reading it."""
        self._held = None

    def read(self, pending: Pending) -> None:
        """Take in the batch that is held, where it is evaluated."""
        held, self._held = self._held, None
        if held is not None and held.arrays and not pending(held.arrays):
            self._known.add(held.digest())
            self.times += 1
