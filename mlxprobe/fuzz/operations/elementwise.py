"""Functions of each element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import Reference, operation, same_in_numpy, unchanged
from mlxprobe.fuzz.strategies import (
    Arguments,
    Builder,
    Draw,
    any_dtype,
    arguments,
    array,
    floating,
    inexact,
    integer,
    number,
    one_array,
    shape,
    shapes,
)

DType = Callable[[Draw], str]


def two_arrays(first: str = "real", second: str = "", *, dtype: DType = floating, special: bool = False) -> Builder:
    """Return a builder of two arrays that broadcast; one time in four each draws its own dtype."""

    def build(draw: Draw) -> Arguments:
        left, right = shapes(draw, 2)
        one = dtype(draw)
        other = one if draw(st.integers(0, 3)) else dtype(draw)
        return arguments(array(draw, left, one, first, special=special), array(draw, right, other, second or first))

    return build


def of_one_dtype(dtype: DType, second: str = "real") -> Builder:
    """Return a builder of two arrays of one drawn dtype that broadcast."""

    def build(draw: Draw) -> Arguments:
        drawn = dtype(draw)
        left, right = shapes(draw, 2)
        return arguments(array(draw, left, drawn), array(draw, right, drawn, second))

    return build


def _comparable(draw: Draw) -> Arguments:
    left, right = shapes(draw, 2)
    dtype = any_dtype(draw)
    return arguments(array(draw, left, dtype, special=True), array(draw, right, dtype, special=True))


def _dtype_then_shape(dtype: DType) -> Builder:
    return lambda draw: arguments(array(draw, dtype=dtype(draw), of=shapes(draw, 1)[0]))


def _boolean(draw: Draw) -> str:
    return "bool"


def _where(draw: Draw) -> Arguments:
    condition, left, right = shapes(draw, 3)
    dtype = number(draw)
    return arguments(array(draw, condition, "bool"), array(draw, left, dtype), array(draw, right, dtype))


def _clip(draw: Draw) -> Arguments:
    limits = draw(st.sampled_from(((-1.21, 1.37), (0.17, 2.41), (None, 0.47), (-0.57, None))))
    return arguments(array(draw, shape(draw), floating(draw)), after=limits)


def _divided(draw: Draw) -> Arguments:
    """Draw whole numbers and divisors; half of the time these may be zero, which must not end the process."""
    return of_one_dtype(integer, draw(st.sampled_from(("positive", "real"))))(draw)


def _whole_or_real_division(draw: Draw) -> Arguments:
    is_whole = draw.of("whole", "any") == "whole" or draw(st.booleans())
    return _divided(draw) if is_whole else two_arrays("real", "positive")(draw)


def refuses_zero(function: Reference) -> Reference:
    """Return a division that refuses whole divisors of zero: MLX promises no result for them."""

    def reference(a: Any, b: Any) -> Any:
        if b.dtype.kind in "iu" and not np.all(b):
            raise ValueError("a divisor is zero")
        return function(a, b)

    return reference


def _close(draw: Draw) -> Arguments:
    left, right = shapes(draw, 2)
    return arguments(array(draw, left), array(draw, right), rtol=0.3, atol=0.2)


EXACT: dict[str, Any] = {"exact": True, "smooth": False}
same_in_numpy("degrees radians", one_array(special=True))
operation("erf", one_array(special=True), special.erf)
operation("sigmoid", one_array(special=True), special.expit)
same_in_numpy("arctan arcsinh cos cosh exp expm1 sin sinh tan tanh", one_array("real", inexact, special=True))
operation(
    "reciprocal",
    one_array("real", inexact, special=True),
    lambda a: 1 / a.astype(complex if a.dtype.kind == "c" else float),
)
same_in_numpy("negative square sign abs", one_array("real", number, special=True))
same_in_numpy("log log10 log1p log2 sqrt", one_array("positive", inexact, special=True))
operation("rsqrt", one_array("positive", inexact, special=True), lambda a: 1 / np.sqrt(a))
same_in_numpy("arccos arcsin arctanh", one_array("unit", inexact))
operation("erfinv", one_array("unit"), special.erfinv)
same_in_numpy("arccosh", one_array("above"))
same_in_numpy("ceil floor round trunc", one_array(special=True), exact=True)
operation("positive", one_array("real", number, special=True), unchanged, exact=True)
operation("stop_gradient", one_array(special=True), unchanged, **EXACT)
same_in_numpy("isnan isinf isfinite isneginf isposinf", one_array(special=True), **EXACT)
operation("nan_to_num", one_array(special=True, posinf=9.0, neginf=-9.0), np.nan_to_num, exact=True)
same_in_numpy("real imag conjugate", one_array("real", "complex64"), exact=True)
operation("bitwise_invert", _dtype_then_shape(integer), np.invert, **EXACT)
same_in_numpy("logical_not", _dtype_then_shape(_boolean), **EXACT)
same_in_numpy("add subtract multiply", two_arrays(special=True, dtype=number))
same_in_numpy("maximum minimum", two_arrays(special=True, dtype=any_dtype))
operation("divide", two_arrays("real", "positive", special=True, dtype=number), refuses_zero(np.divide))
same_in_numpy("arctan2 logaddexp", two_arrays(special=True))
same_in_numpy("power", two_arrays("positive", "real"))
for name in ("floor_divide", "remainder"):
    operation(name, _whole_or_real_division, refuses_zero(getattr(np, name)), smooth=False)
same_in_numpy("equal not_equal less less_equal greater greater_equal", _comparable, **EXACT)
same_in_numpy("bitwise_and bitwise_or bitwise_xor", of_one_dtype(integer), **EXACT)
same_in_numpy("left_shift right_shift", of_one_dtype(integer, "shift"), **EXACT)
same_in_numpy("logical_and logical_or logical_xor", of_one_dtype(_boolean), **EXACT)
operation("divmod", _divided, refuses_zero(np.divmod), several=True, **EXACT)
same_in_numpy("isclose", _close, **EXACT)
same_in_numpy("allclose", _close, without=("vmap",), **EXACT)
same_in_numpy("array_equal", _comparable, without=("vmap",), **EXACT)
same_in_numpy("where", _where, exact=True)
same_in_numpy("clip", _clip)
