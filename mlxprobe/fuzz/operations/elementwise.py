"""Functions of each element."""

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
    floating,
    given,
    inexact,
    integer,
    number,
    shape,
    shapes,
)


def of_one(kind: str, *, put: bool = True, dtype: Callable[[Draw], str] = floating) -> Callable[[Draw], Drawn]:
    """Return a builder of one array, floating or of a dtype that is drawn."""
    return lambda draw: given(array(draw, shape(draw), dtype(draw), kind, special=put))


def of_two(
    first: str, second: str = "", *, put: bool = False, dtype: Callable[[Draw], str] = floating
) -> Callable[[Draw], Drawn]:
    """Return a builder of two arrays, of one dtype or now and then of two, that are broadcast."""

    def build(draw: Draw) -> Drawn:
        left, right = shapes(draw, 2)
        one = dtype(draw)
        other = one if draw(st.integers(0, 3)) else dtype(draw)
        return given(array(draw, left, one, first, special=put), array(draw, right, other, second or first))

    return build


def of_any(draw: Draw) -> Drawn:
    """Draw two arrays of any one dtype."""
    left, right = shapes(draw, 2)
    dtype = any_dtype(draw)
    return given(array(draw, left, dtype, special=True), array(draw, right, dtype, special=True))


def of_dtype(pick: Callable[[Draw], str], second: str = "real", count: int = 2) -> Callable[[Draw], Drawn]:
    """Return a builder of arrays of one drawn dtype."""

    def build(draw: Draw) -> Drawn:
        dtype = pick(draw)
        kinds = ("real", second)[:count]
        return given(*(array(draw, one, dtype, kind) for one, kind in zip(shapes(draw, count), kinds, strict=True)))

    return build


def truth(draw: Draw) -> str:
    """Choose truth values."""
    return "bool"


def _select(draw: Draw) -> Drawn:
    which, left, right = shapes(draw, 3)
    dtype = number(draw)
    return given(array(draw, which, "bool"), array(draw, left, dtype), array(draw, right, dtype))


def _clip(draw: Draw) -> Drawn:
    low, high = draw(st.sampled_from(((-1.21, 1.37), (0.17, 2.41), (None, 0.47), (-0.57, None))))
    return given(array(draw, shape(draw), floating(draw)), after=(low, high))


def _clipped(a: Any, low: float | None, high: float | None) -> Any:
    return np.clip(a, low, high)


def _divided(draw: Draw) -> Drawn:
    """Draw whole numbers and divisors; half of the time these may be zero, which must not end the process."""
    return of_dtype(integer, draw(st.sampled_from(("positive", "real"))))(draw)


def _quotient(draw: Draw) -> Drawn:
    return of_two("real", "positive")(draw)


def whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse to divide whole numbers by zero: MLX promises no result of it."""

    def reference(a: Any, b: Any) -> Any:
        if b.dtype.kind in "iu" and not np.all(b):
            raise ValueError("a divisor is zero")
        return function(a, b)

    return reference


def _close(draw: Draw) -> Drawn:
    left, right = shapes(draw, 2)
    return given(array(draw, left), array(draw, right), rtol=0.3, atol=0.2)


operations(
    (
        ("degrees", np.degrees),
        ("erf", special.erf),
        ("radians", np.radians),
        ("sigmoid", special.expit),
    ),
    of_one("real"),
)
operations(
    (
        ("arctan", np.arctan),
        ("arcsinh", np.arcsinh),
        ("cos", np.cos),
        ("cosh", np.cosh),
        ("exp", np.exp),
        ("expm1", np.expm1),
        ("reciprocal", lambda a: 1 / a.astype(complex if a.dtype.kind == "c" else float)),
        ("sin", np.sin),
        ("sinh", np.sinh),
        ("tan", np.tan),
        ("tanh", np.tanh),
    ),
    of_one("real", dtype=inexact),
)
operations((("negative", np.negative), ("square", np.square)), of_one("real", dtype=number))
operations(
    (("log", np.log), ("log10", np.log10), ("log1p", np.log1p), ("log2", np.log2), ("sqrt", np.sqrt),
     ("rsqrt", lambda a: 1 / np.sqrt(a))),
    of_one("positive", dtype=inexact),
)  # fmt: skip
operations(
    (("arccos", np.arccos), ("arcsin", np.arcsin), ("arctanh", np.arctanh)), of_one("unit", put=False, dtype=inexact)
)
operation("erfinv", of_one("unit", put=False), special.erfinv)
operation("arccosh", of_one("above", put=False), np.arccosh)
operations(
    (("ceil", np.ceil), ("floor", np.floor), ("round", np.round), ("trunc", np.trunc)), of_one("real"), exact=True
)
operations((("sign", np.sign), ("abs", np.abs)), of_one("real", dtype=number))
operation("positive", of_one("real", dtype=number), lambda a: a, exact=True)
operation("stop_gradient", of_one("real"), lambda a: a, exact=True, smooth=False)
operations(
    (("isnan", np.isnan), ("isinf", np.isinf), ("isfinite", np.isfinite), ("isneginf", np.isneginf),
     ("isposinf", np.isposinf)),
    of_one("real"),
    exact=True,
    smooth=False,
)  # fmt: skip
operation("nan_to_num", lambda draw: given(array(draw, shape(draw), floating(draw), special=True), posinf=9.0,
          neginf=-9.0),
          lambda a, posinf, neginf: np.nan_to_num(a, posinf=posinf, neginf=neginf), exact=True)  # fmt: skip
operations(
    (("real", np.real), ("imag", np.imag), ("conjugate", np.conjugate)),
    lambda draw: given(array(draw, shape(draw), "complex64")),
    exact=True,
)
operations((("bitwise_invert", np.invert),), of_dtype(integer, count=1), exact=True, smooth=False)
operations((("logical_not", np.logical_not),), of_dtype(truth, count=1), exact=True, smooth=False)

operations(
    (("add", np.add), ("subtract", np.subtract), ("multiply", np.multiply)), of_two("real", put=True, dtype=number)
)
operations((("maximum", np.maximum), ("minimum", np.minimum)), of_two("real", put=True, dtype=any_dtype))
operations((("divide", whole(np.divide)),), of_two("real", "positive", put=True, dtype=number))
operations((("arctan2", np.arctan2), ("logaddexp", np.logaddexp)), of_two("real", put=True))
operations((("power", np.power),), of_two("positive", "real"))
operations(
    (("floor_divide", whole(np.floor_divide)), ("remainder", whole(np.remainder))),
    lambda draw: _divided(draw) if draw.of("whole", "any") == "whole" or draw(st.booleans()) else _quotient(draw),
    smooth=False,
)
operations(
    (("equal", np.equal), ("not_equal", np.not_equal), ("less", np.less), ("less_equal", np.less_equal),
     ("greater", np.greater), ("greater_equal", np.greater_equal)),
    of_any,
    exact=True,
    smooth=False,
)  # fmt: skip
operations(
    (("bitwise_and", np.bitwise_and), ("bitwise_or", np.bitwise_or), ("bitwise_xor", np.bitwise_xor)),
    of_dtype(integer),
    exact=True,
    smooth=False,
)
operations(
    (("left_shift", np.left_shift), ("right_shift", np.right_shift)),
    of_dtype(integer, "shift"),
    exact=True,
    smooth=False,
)
operations(
    (("logical_and", np.logical_and), ("logical_or", np.logical_or), ("logical_xor", np.logical_xor)),
    of_dtype(truth),
    exact=True,
    smooth=False,
)
operation("divmod", _divided, whole(np.divmod), exact=True, smooth=False, several=True)
operation("isclose", _close, np.isclose, exact=True, smooth=False)
operation("allclose", _close, np.allclose, exact=True, smooth=False, without=("vmap",))
operation("array_equal", of_any, np.array_equal, exact=True, smooth=False, without=("vmap",))
operation("where", _select, np.where, exact=True)
operation("clip", _clip, _clipped)
