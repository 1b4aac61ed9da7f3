"""Describe what a program returned in few numbers that allow a comparison with another run's."""

from __future__ import annotations

import math
from typing import Any

PROJECTIONS = 8


def arrays_of(result: Any) -> dict[str, Any]:
    """Name the arrays and numbers of a result: a module's parameters, a tree, an array or a number."""
    import mlx.core as mx
    from mlx import nn
    from mlx.utils import tree_flatten

    tree = result.parameters() if isinstance(result, nn.Module) else result
    named = {}
    for path, leaf in tree_flatten(tree):
        if isinstance(leaf, (int, float)) or hasattr(leaf, "__array__") or isinstance(leaf, mx.array):
            named[str(path)] = mx.array(leaf).astype(mx.float32)
    return named


def describe(array: Any) -> list[float | str]:
    """Return the Euclidean norm and `PROJECTIONS` projections of an array on fixed directions.

    The directions are nearly orthogonal waves of variance 1, so that the mean squared difference of two arrays'
    projections estimates their squared distance (Johnson and Lindenstrauss 1984) without storing either.
    """
    import mlx.core as mx

    flat = array.reshape(-1)
    place = mx.arange(flat.size, dtype=mx.float32)
    values = [float(mx.sqrt(mx.sum(flat * flat)))]
    for k in range(PROJECTIONS):
        wave = math.sqrt(2) * mx.cos(place * (0.7 + 0.311 * k) + 1.3 * k)
        values.append(float(mx.sum(flat * wave)))
    return [value if math.isfinite(value) else str(value) for value in values]
