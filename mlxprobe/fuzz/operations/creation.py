"""Arrays that are made of numbers alone, and random ones with a key."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.case import Array
from mlxprobe.fuzz.operations.registry import ALONE, operation, same_in_numpy
from mlxprobe.fuzz.strategies import Arguments, Draw, arguments, array, shape


def _range(draw: Draw) -> Arguments:
    start, step = draw(st.integers(-5, 5)), draw(st.sampled_from((-2, -1, 1, 2, 0.5)))
    return arguments(after=(start, start + step * draw(st.integers(0, 8)), step), dtype={"dtype": "float32"})


def _numbers(*limits: tuple[int, int]) -> Any:
    """Return a builder of whole numbers within limits."""
    return lambda draw: arguments(after=tuple(draw(st.integers(*one)) for one in limits))


def _filled(draw: Draw) -> Arguments:
    return arguments(after=(list(shape(draw)), draw(st.sampled_from((2.5, -1, 0)))))


def _key(draw: Draw) -> Array:
    return array(draw, (2,), "uint32", "positive")


def random(name: str, **named: Any) -> None:
    """Register random numbers: the same key gives the same ones in every mode and on every release."""

    def build(draw: Draw) -> Arguments:
        return Arguments((_key(draw),), (), {"shape": list(shape(draw)), "key": {"array": 0}} | named)

    operation(f"random.{name}", build, smooth=False)


def _permutation(draw: Draw) -> Arguments:
    return Arguments((_key(draw),), (draw(st.integers(1, 9)),), {"key": {"array": 0}})


def _categorical(draw: Draw) -> Arguments:
    arrays = (array(draw, shape(draw, 1, empty=False)), _key(draw))
    return Arguments(arrays, ({"array": 0},), {"key": {"array": 1}})


def _normal(draw: Draw) -> Arguments:
    size = draw(st.integers(1, 4))
    parts = (array(draw, (size,)), array(draw, (size, size), "float32", "spd"), _key(draw))
    return Arguments(parts, ({"array": 0}, {"array": 1}, [3]), {"key": {"array": 2}})


operation("arange", _range, lambda *limits, dtype: np.arange(*limits), **ALONE)  # noqa: PLW0108 - not the dtype
same_in_numpy("linspace", _numbers((-5, 5), (-5, 5), (1, 9)), bound=lambda *ends: np.full(ends[2], 5.0), **ALONE)
same_in_numpy("eye tri", _numbers((1, 5), (1, 5), (-3, 3)), exact=True, **ALONE)
same_in_numpy("identity", _numbers((1, 9)), exact=True, **ALONE)
same_in_numpy("zeros ones", lambda draw: arguments(after=(list(shape(draw)),)), exact=True, **ALONE)
same_in_numpy("full", _filled, exact=True, **ALONE)
same_in_numpy("bartlett blackman hamming hanning", _numbers((1, 9)), bound=np.ones, **ALONE)
for distribution in ("uniform", "normal", "gumbel", "laplace"):
    random(distribution)
random("bernoulli", p=0.4)
random("randint", low=-3, high=9)
random("truncated_normal", lower=-1.0, upper=1.5)
operation("random.split", lambda draw: arguments(_key(draw), num=draw(st.integers(1, 4))), exact=True, smooth=False)
operation("random.permutation", _permutation, exact=True, smooth=False, without=("vmap",))
operation("random.categorical", _categorical, exact=True, smooth=False)
operation("random.multivariate_normal", _normal, smooth=False, accumulates=True, without=("vmap",))
