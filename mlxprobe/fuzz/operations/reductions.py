"""Functions along axes: sums, extremes, orders, scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import Reference, named_axes, operation, same_in_numpy
from mlxprobe.fuzz.strategies import (
    Arguments,
    Builder,
    Draw,
    any_dtype,
    arguments,
    array,
    axis,
    floating,
    integer,
    number,
    shape,
    some_axes,
)


def reduced(
    kind: str = "real",
    *,
    dtype: Callable[[Draw], str] = floating,
    empty: bool = True,
    several: bool = True,
    keeps: bool = True,
) -> Builder:
    """Return a builder of one array that is reduced."""

    def build(draw: Draw) -> Arguments:
        dims = shape(draw, empty=empty)
        along = some_axes(draw, len(dims))
        along = along if several or not isinstance(along, list) else along[0]
        named = {"axis": along} | ({"keepdims": draw(st.booleans())} if keeps else {})
        return arguments(array(draw, dims, dtype(draw), kind), **named)

    return build


def along_axis(kind: str, *, scan: bool = False, dtype: Callable[[Draw], str] = floating) -> Builder:
    """Return a builder of one array and one of its axes."""

    def build(draw: Draw) -> Arguments:
        inner = draw.of("inner", "any", "any", "inner", "inner") == "inner"  # there are others after it
        dims = shape(draw, 1 + inner, empty=False)
        named: dict[str, Any] = {"axis": draw(st.integers(-len(dims), -2)) if inner else axis(draw, len(dims))}
        if scan:
            named |= {"reverse": draw(st.booleans()), "inclusive": draw(st.booleans())}
        return arguments(array(draw, dims, dtype(draw), kind), **named)

    return build


def ordered(draw: Draw) -> str:
    """Draw a dtype of numbers that can all be different."""
    return floating(draw) if draw(st.booleans()) else integer(draw)


def takes_axes(function: Reference) -> Reference:
    """Return a reduction of NumPy that takes a list of axes too."""

    def reference(a: Any, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:
        return function(a, axis=named_axes(axis), keepdims=keepdims, **more)

    return reference


def scanned(function: Reference, start: float) -> Reference:
    """Return a scan by a function that accumulates along an axis."""

    def reference(a: Any, axis: int, reverse: bool = False, inclusive: bool = True) -> Any:
        a = np.flip(a, axis) if reverse else a
        found = function(a, axis=axis)
        if not inclusive:
            first = np.full_like(np.take(found, [0], axis), start)
            found = np.concatenate([first, np.take(found, range(a.shape[axis] - 1), axis)], axis)
        return np.flip(found, axis) if reverse else found

    return reference


def _variance_arguments(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    values = array(draw, dims, floating(draw))
    return arguments(values, axis=some_axes(draw, len(dims)), ddof=0, keepdims=draw(st.booleans()))


def _partition_arguments(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    along = axis(draw, len(dims))
    few = draw(st.integers(0, dims[along] - 1))
    return arguments(array(draw, dims, floating(draw), "distinct"), after=(few,), axis=along)


def _topk_arguments(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    along = axis(draw, len(dims))
    values = array(draw, dims, floating(draw), "distinct")
    return arguments(values, after=(draw(st.integers(1, dims[along])),), axis=along)


def _largest_square(a: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Return the bound of a variance: a difference of squares, at worst as large as those."""
    return takes_axes(np.mean)(np.ones_like(a) * np.max(np.square(a), initial=0), axis, keepdims)


def _softmax(a: Any, axis: Any = None, precise: bool = False) -> Any:
    return special.softmax(a, axis=named_axes(axis))


def _logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    found = special.logsumexp(a, axis=named_axes(axis), keepdims=keepdims)
    return np.reshape(found, ()) if a.ndim == 0 else found  # SciPy keeps an axis that a scalar does not have


def _search(draw: Draw) -> Arguments:
    size = draw(st.integers(1, 6))
    steps = array(draw, (size,), "float32", "rising")
    return arguments(steps, array(draw, shape(draw)), side=draw(st.sampled_from(("left", "right"))))


def _minmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return takes_axes(np.min)(a, axis, keepdims), takes_axes(np.max)(a, axis, keepdims)


EXACT: dict[str, Any] = {"exact": True, "smooth": False}
PARTLY_ORDERED: dict[str, Any] = {"without": ("other side",), **EXACT}
SUM, MEAN, PROD = takes_axes(np.sum), takes_axes(np.mean), takes_axes(np.prod)
operation("sum", reduced(dtype=number), SUM, bound=SUM, accumulates=True)
operation("mean", reduced(empty=False, dtype=number), MEAN, bound=MEAN, accumulates=True)
operation("prod", reduced(dtype=number), PROD, bound=PROD, accumulates=True)
operation("var", _variance_arguments, takes_axes(np.var), bound=_largest_square, accumulates=True)
operation("std", _variance_arguments, takes_axes(np.std), bound=_largest_square, accumulates=True, smooth=False)
operation("max", reduced("distinct", empty=False, dtype=any_dtype), takes_axes(np.max), exact=True)
operation("min", reduced("distinct", empty=False, dtype=any_dtype), takes_axes(np.min), exact=True)
operation("minmax", reduced("distinct", empty=False), _minmax, exact=True, several=True)
operation("median", reduced("distinct", empty=False), takes_axes(np.median))
operation("logsumexp", reduced(empty=False), _logsumexp, accumulates=True)
operation("softmax", reduced(empty=False, keeps=False), _softmax, accumulates=True)
operation("all", reduced(dtype=any_dtype), takes_axes(np.all), **EXACT)
operation("any", reduced(dtype=any_dtype), takes_axes(np.any), **EXACT)
operation("count_nonzero", reduced(dtype=integer), takes_axes(np.count_nonzero), **EXACT)
same_in_numpy("argmax argmin", reduced("distinct", empty=False, several=False, dtype=ordered), **EXACT)
same_in_numpy("sort", along_axis("distinct", dtype=ordered), exact=True)
same_in_numpy("argsort", along_axis("distinct", dtype=ordered), **EXACT)
operation("partition", _partition_arguments, **PARTLY_ORDERED)
operation("argpartition", _partition_arguments, **PARTLY_ORDERED)
operation("topk", _topk_arguments, **PARTLY_ORDERED)
operation("searchsorted", _search, lambda a, v, side: np.searchsorted(a, v, side=side), **EXACT)
for name, scan in (("cumsum", scanned(np.cumsum, 0)), ("cumprod", scanned(np.cumprod, 1))):
    operation(name, along_axis("real", scan=True, dtype=number), scan, bound=scan, accumulates=True)
operation("cummax", along_axis("distinct", scan=True), scanned(np.maximum.accumulate, -np.inf), exact=True)
operation("cummin", along_axis("distinct", scan=True), scanned(np.minimum.accumulate, np.inf), exact=True)
operation("logcumsumexp", along_axis("real", scan=True), scanned(np.logaddexp.accumulate, -np.inf), accumulates=True)
