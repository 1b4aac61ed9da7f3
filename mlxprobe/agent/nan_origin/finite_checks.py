"""Some small parameters that are looked at between two steps: whether they are finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import let_through

SMALL_BYTES, READ, PROBES = 16_384, 32, 2
HALF = 0x7C00  # bits that are all set in what is not finite; bfloat16 has more of them


def probed(parameters: Any) -> Iterator[tuple[Any, ...]]:
    """Choose some small parameters, from first to last: the gradient of one in the middle reaches those before it."""
    small = [(path, one.ndim) for path, one in paths(parameters) if 0 < one.nbytes <= SMALL_BYTES and is_float(one)]
    flat = [path for path, dimensions in small if dimensions == 1] or [path for path, _ in small]
    yield from {small[0][0], *flat[:: max(1, -(-len(flat) // PROBES))]} if small else ()


def at_hand() -> bool:
    """Tell whether evaluated bytes can be read where they are; CUDA would fetch them from its device, and move them.

    An error on that way, in a buffer protocol that knows no exceptions, would be the program's end.
    """
    import mlx.core as mx

    cuda = getattr(mx, "cuda", None)
    return mx.default_device() == mx.cpu or cuda is None or not cuda.is_available()


def is_float(array: Any) -> bool:
    """Tell whether an array is of floating-point numbers."""
    return "float" in str(array.dtype)


def paths(tree: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """List the arrays of a tree with the keys that lead to them."""
    if is_array(tree):
        yield above, tree
    elif static.is_a(tree, (dict, list, tuple)):
        for key, one in static.entries(tree):
            yield from paths(one, (*above, key))


def is_broken(tree: Any, probes: Iterable[tuple[Any, ...]]) -> bool:
    """Tell whether any of some elements of small evaluated arrays is not finite: a microsecond each, by bytes."""
    for path in probes:
        try:
            view = memoryview(static.at(tree, path))
            raw, size = view.tobytes(), view.itemsize
            stride = len(raw) // (size * READ) or 1
            if size > 2:  # seven bits of the exponent, which few finite numbers have all set
                high = raw[size - 1 :: size * stride]
                if 0x7F in high or 0xFF in high:
                    numbers = memoryview(raw).cast("f" if size == 4 else "d")[::stride]
                    if not math.isfinite(sum(numbers)):
                        return True
            elif any(one & HALF == HALF for one in memoryview(raw).cast("H")[::stride]):
                return True
        except (LookupError, TypeError, ValueError, RuntimeError, BufferError) as error:
            let_through(error)
            continue
    return False
