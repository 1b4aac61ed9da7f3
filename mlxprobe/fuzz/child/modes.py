"""One case in every mode: eager, compiled, batched, from copies, differentiated forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np

from mlxprobe.fuzz.child.calls import Function, function_of, made, told, values_of
from mlxprobe.fuzz.child.leak_counters import growth

FLOATS = ("float32", "float16", "bfloat16")
SMOOTH = (*FLOATS, "complex64")
GOLDEN = 0.6180339887498949
EPS = 2.0**-24

Seen = dict[str, Any]


def measured(job: dict[str, Any], began: Callable[[str], object] = lambda _: None) -> Seen:
    """Run a case in every mode that it asks for, telling which one begins; what a mode raises is its result."""
    one = _Case(job, began)
    seen: Seen = {}
    for name, mode in (
        ("value", one.value),
        ("copy", one.copy),
        ("compiled", one.compiled),
        ("vmap", one.vmap),
        ("loop", one.loop),
        ("grows", one.grows),
        ("derivative", one.derivative),
        ("wide", one.wide),
    ):
        if name in job["modes"]:
            began(name)
            try:
                seen[name] = mode()
            except Exception as error:  # it is data: what one mode raises and another does not
                seen[name] = {"error": f"{type(error).__name__}: {error}"[:300]}
    return seen


class _Case:
    """The arrays of one case, and its modes."""

    def __init__(self, job: dict[str, Any], began: Callable[[str], object]) -> None:
        self.job = job
        self.began = began
        self.function: Function = function_of(job["steps"])
        self.plain = [values_of(one) for one in job["arrays"]]
        self.others = [values_of({**one, "values": other}) for one, other in self._pairs()]
        self.smooth = [k for k, one in enumerate(job["arrays"]) if one["dtype"] in SMOOTH and one["smooth"]]

    def _pairs(self) -> list[tuple[dict[str, Any], list[Any]]]:
        return list(zip(self.job["arrays"], self.job["others"], strict=True))

    def _arrays(self, dtype: str = "", values: Sequence[Any] | None = None, *, views: bool = True) -> list[Any]:
        rows = self.job["arrays"]
        return [
            made(value, one, dtype if one["dtype"] in FLOATS else "", one["layout"] if views else "plain")
            for one, value in zip(rows, self.plain if values is None else values, strict=True)
        ]

    def value(self) -> Any:
        return told(_evaluated(self.function(*self._arrays())))

    def copy(self) -> Any:
        return told(_evaluated(self.function(*self._arrays(views=False))))

    def compiled(self) -> Any:
        return told(_evaluated(mx.compile(self.function)(*self._arrays())))

    def vmap(self) -> Any:
        return told(_evaluated(mx.vmap(self.function, in_axes=tuple(self.job["axes"]))(*self._stacked())))

    def _stacked(self) -> list[Any]:
        rows = zip(self.job["arrays"], self.plain, self.others, self.job["axes"], strict=True)
        return [
            made(value, one) if axis is None else made(np.stack([value, other], axis), one)
            for one, value, other, axis in rows
        ]

    def loop(self) -> Any:
        second = [
            value if axis is None else other
            for value, other, axis in zip(self.plain, self.others, self.job["axes"], strict=True)
        ]
        each = [self.function(*self._arrays(values=values, views=False)) for values in (self.plain, second)]
        return told(_evaluated([mx.stack(pair) for pair in zip(*each, strict=True)]))

    def grows(self) -> Any:
        """Return what further calls leave behind, a way of calling at a time (see `heap.growth`)."""
        return {name: _try(partial(self._growth, name)) for name in self.job["grows"]}

    def _growth(self, way: str) -> dict[str, list[float]]:
        return growth(self._repeatable(way))

    def _repeatable(self, way: str) -> Callable[[], Any]:
        """Return a way of calling from arrays that are there already."""
        steps = self.job["steps"]
        if way == "derivative":
            function, chosen, ways = self._free("", self.plain)
            weights = _weights(_evaluated(function(*chosen)))
            return lambda: [
                _try(lambda: _evaluated(mx.jvp(function, chosen, ways)[1])),
                _try(lambda: _evaluated(mx.vjp(function, chosen, weights)[1])),
            ]
        if way == "vmap":
            stacked, axes = self._stacked(), tuple(self.job["axes"])
            return lambda: _evaluated(mx.vmap(function_of(steps), in_axes=axes)(*stacked))
        arrays = self._arrays()
        if way == "compiled":
            return lambda: _evaluated(mx.compile(function_of(steps))(*arrays))
        return lambda: _evaluated(self.function(*arrays))

    def derivative(self) -> Any:
        return self._derived("", self.plain)

    def wide(self) -> Any:
        """Differentiate in float64, which tells derivation from rounding; and beside the point too.

        No GPU has float64: there the processor computes what the GPU's float32 is held against.
        """
        with mx.stream(mx.cpu):
            found = self._derived("float64", self.plain)
            found["moved"] = [
                self._derived("float64", [self._beside(k, value, sign) for k, value in enumerate(self.plain)], few=True)
                for sign in (1, -1)
            ]
        return found

    def _beside(self, index: int, value: Any, sign: int) -> Any:
        if index not in self.smooth or value.dtype.kind != "f":
            return value
        wide = value.astype(np.float64)
        ways = np.sign(_direction(wide.shape, 7 + index)) if sign < 0 else 1.0  # in a sum, errors of either sign cancel
        return wide * (1 + sign * EPS * ways)

    def _free(self, dtype: str, values: Sequence[Any]) -> tuple[Function, list[Any], list[Any]]:
        """Return a function of the arrays that move, those arrays, and the directions in which they do."""
        arrays = self._arrays(dtype, values)
        chosen = [arrays[k] for k in self.smooth]

        def function(*free: Any) -> list[Any]:
            whole = list(arrays)
            for k, one in zip(self.smooth, free, strict=True):
                whole[k] = one
            return [one for one in self.function(*whole) if mx.issubdtype(one.dtype, mx.inexact)]

        return function, chosen, [_like(one, 1 + k) for k, one in enumerate(chosen)]

    def _derived(self, dtype: str, values: Sequence[Any], *, few: bool = False) -> Seen:
        function, chosen, ways = self._free(dtype, values)
        value = _evaluated(function(*chosen))
        weights = _weights(value)
        seen: Seen = {"value": told(value)}
        self.began("forward")
        seen["jvp"] = _try(lambda: told(_evaluated(mx.jvp(function, chosen, ways)[1])))
        self.began("reverse")
        seen["vjp"] = _try(lambda: told(_evaluated(mx.vjp(function, chosen, weights)[1])))
        if not few:
            seen |= {"ways": told(ways), "weights": told(weights), "smooth": self.smooth}
        return seen


def _weights(value: Sequence[Any]) -> list[Any]:
    return [_like(one, 101 + k) for k, one in enumerate(value)]


def _try(mode: Callable[[], Any]) -> Any:
    try:
        return mode()
    except Exception as error:  # forwards may work where backwards does not
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def _evaluated(arrays: Sequence[Any]) -> list[Any]:
    mx.eval(arrays)
    return list(arrays)


def _direction(shape: Sequence[int], number: int) -> Any:
    """Return numbers between -1 and 1, each another, the same on every machine."""
    count = int(np.prod(shape, dtype=int))
    return (2 * np.modf(GOLDEN * (np.arange(count) + 1) + 0.137 * number)[0] - 1).reshape(shape)


def _like(array: Any, number: int) -> Any:
    way = _direction(array.shape, number)
    if array.dtype == mx.complex64:
        return mx.array((way + 1j * _direction(array.shape, number + 53)).astype(np.complex64))
    return (
        mx.array(way, dtype=mx.float64)
        if array.dtype == mx.float64
        else mx.array(way.astype(np.float32)).astype(array.dtype)
    )
