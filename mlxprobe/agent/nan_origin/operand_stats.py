"""What the operands of an operation hold, in numbers. They are evaluated."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.graph import lazy_graph

Told = dict[str, Any]


def counted(kind: str, array: Any, value: float) -> Told:
    """Tell how many elements have a value; nothing where none has."""
    import mlx.core as mx

    found = int(mx.sum(array == value).item())
    return {"kind": kind, "elements": found, "of": int(array.size)} if found else {}


def below(array: Any) -> Told:
    """Tell of the lowest value."""
    return {"lowest": lowest(array)}


def lowest(array: Any) -> float:
    """Return the lowest value of an array."""
    import mlx.core as mx

    return lazy_graph.number(mx.min(array)) if array.size else math.inf


def is_whole(array: Any) -> bool:
    """Tell whether all numbers are whole and none is negative: any base may be raised to such."""
    import mlx.core as mx

    return array.size > 0 and bool(mx.all(mx.logical_and(mx.floor(array) == array, array >= 0)).item())


def largest(operands: list[Any]) -> float:
    """Return the largest absolute value that is finite among arrays."""
    import mlx.core as mx

    floats = [one for one in operands if one.size and mx.issubdtype(one.dtype, mx.floating)]
    sizes = [mx.max(mx.where(mx.isfinite(one), mx.abs(one), 0)) for one in floats]
    return max(map(lazy_graph.number, sizes), default=0.0)


def has_infinity(array: Any) -> bool:
    """Tell whether an array holds an infinity."""
    import mlx.core as mx

    return bool(mx.any(mx.isinf(array)).item())


def is_zero_there(numerator: Any, denominator: Any) -> bool:
    """Tell whether the numerator is zero wherever the denominator is, if anywhere."""
    import mlx.core as mx

    return bool(mx.any(mx.logical_and(numerator == 0, denominator == 0)).item())
