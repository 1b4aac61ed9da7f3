"""Functions along axes: sums, extremes, orders, scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import operation, operations
from mlxprobe.fuzz.strategies import (
    Draw,
    Drawn,
    any_dtype,
    array,
    axis,
    floating,
    given,
    integer,
    number,
    shape,
    some_axes,
)


def over_axes(
    kind: str = "real",
    *,
    dtype: Callable[[Draw], str] = floating,
    empty: bool = True,
    several: bool = True,
    keeps: bool = True,
) -> Callable[[Draw], Drawn]:
    """Return a builder of one array that is reduced."""

    def build(draw: Draw) -> Drawn:
        of = shape(draw, empty=empty)
        along = some_axes(draw, len(of))
        along = along if several or not isinstance(along, list) else along[0]
        named = {"axis": along} | ({"keepdims": draw(st.booleans())} if keeps else {})
        return given(array(draw, of, dtype(draw), kind), **named)

    return build


def along_axis(kind: str, *, scan: bool = False, dtype: Callable[[Draw], str] = floating) -> Callable[[Draw], Drawn]:
    """Return a builder of one array and one of its axes."""

    def build(draw: Draw) -> Drawn:
        inner = draw.of("inner", "any", "any", "inner", "inner") == "inner"  # there are others after it
        of = shape(draw, 1 + inner, empty=False)
        named: dict[str, Any] = {"axis": draw(st.integers(-len(of), -2)) if inner else axis(draw, len(of))}
        if scan:
            named |= {"reverse": draw(st.booleans()), "inclusive": draw(st.booleans())}
        return given(array(draw, of, dtype(draw), kind), **named)

    return build


def ordered(draw: Draw) -> str:
    """Draw a dtype of numbers that can all be different."""
    return floating(draw) if draw(st.booleans()) else integer(draw)


def plural(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of NumPy take a list of axes."""

    def reference(a: Any, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:
        return function(a, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims, **more)

    return reference


def scanned(function: Callable[..., Any], start: float) -> Callable[..., Any]:
    """Make a scan of a function that accumulates along an axis."""

    def reference(a: Any, axis: int, reverse: bool = False, inclusive: bool = True) -> Any:
        a = np.flip(a, axis) if reverse else a
        found = function(a, axis=axis)
        if not inclusive:
            first = np.full_like(np.take(found, [0], axis), start)
            found = np.concatenate([first, np.take(found, range(a.shape[axis] - 1), axis)], axis)
        return np.flip(found, axis) if reverse else found

    return reference


def _spread(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    return given(array(draw, of, floating(draw)), axis=some_axes(draw, len(of)), ddof=0, keepdims=draw(st.booleans()))


def _chosen(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    along = axis(draw, len(of))
    few = draw(st.integers(0, of[along] - 1))
    return given(array(draw, of, floating(draw), "distinct"), after=(few,), axis=along)


def _most(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    along = axis(draw, len(of))
    return given(array(draw, of, floating(draw), "distinct"), after=(draw(st.integers(1, of[along])),), axis=along)


def _squares(function: Callable[..., Any]) -> Callable[..., Any]:
    """Variances are differences of squares, at worst as large as those."""
    return lambda a, **named: function(np.ones_like(a) * np.max(np.square(a), initial=0), **named)


def _mean_square(a: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    return plural(np.mean)(a, axis, keepdims)


def _softmax(a: Any, axis: Any = None, precise: bool = False) -> Any:
    return special.softmax(a, axis=tuple(axis) if isinstance(axis, list) else axis)


def _lse(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    found = special.logsumexp(a, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)
    return np.reshape(found, ()) if a.ndim == 0 else found  # SciPy keeps an axis that a scalar has not


def _search(draw: Draw) -> Drawn:
    size = draw(st.integers(1, 6))
    steps = array(draw, (size,), "float32", "rising")
    return given(steps, array(draw, shape(draw), "float32"), side=draw(st.sampled_from(("left", "right"))))


operation("sum", over_axes(dtype=number), plural(np.sum), bound=plural(np.sum), accumulates=True)
operation("mean", over_axes(empty=False, dtype=number), plural(np.mean), bound=plural(np.mean), accumulates=True)
operation("prod", over_axes(dtype=number), plural(np.prod), bound=plural(np.prod), accumulates=True)
operation("var", _spread, plural(np.var), bound=_squares(_mean_square), accumulates=True)
operation("std", _spread, plural(np.std), bound=_squares(_mean_square), accumulates=True, smooth=False)
operation("max", over_axes("distinct", empty=False, dtype=any_dtype), plural(np.max), exact=True)
operation("min", over_axes("distinct", empty=False, dtype=any_dtype), plural(np.min), exact=True)
operation("median", over_axes("distinct", empty=False), plural(np.median))
operation("logsumexp", over_axes(empty=False), _lse, accumulates=True)
operation("softmax", over_axes(empty=False, keeps=False), _softmax, accumulates=True)
operation("all", over_axes(dtype=any_dtype), plural(np.all), exact=True, smooth=False)
operation("any", over_axes(dtype=any_dtype), plural(np.any), exact=True, smooth=False)
operation("count_nonzero", over_axes(dtype=integer), plural(np.count_nonzero), exact=True, smooth=False)
operations(
    (("argmax", np.argmax), ("argmin", np.argmin)),
    over_axes("distinct", empty=False, several=False, dtype=ordered),
    exact=True,
    smooth=False,
)
operation("sort", along_axis("distinct", dtype=ordered), np.sort, exact=True)
operation("argsort", along_axis("distinct", dtype=ordered), np.argsort, exact=True, smooth=False)
operation("partition", _chosen, None, exact=True, smooth=False, without=("other side",))
operation("argpartition", _chosen, None, exact=True, smooth=False, without=("other side",))
operation("topk", _most, None, exact=True, smooth=False, without=("other side",))
operation("searchsorted", _search, lambda a, v, side: np.searchsorted(a, v, side=side), exact=True, smooth=False)
for name, scan in (("cumsum", scanned(np.cumsum, 0)), ("cumprod", scanned(np.cumprod, 1))):
    operation(name, along_axis("real", scan=True, dtype=number), scan, bound=scan, accumulates=True)
operation("cummax", along_axis("distinct", scan=True), scanned(np.maximum.accumulate, -np.inf), exact=True)
operation("cummin", along_axis("distinct", scan=True), scanned(np.minimum.accumulate, np.inf), exact=True)
operation("logcumsumexp", along_axis("real", scan=True), scanned(np.logaddexp.accumulate, -np.inf), accumulates=True)
