"""Sketches of gradients and parameters: some elements of a few small arrays, and the rounding errors in them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import is_vector
from mlxprobe.protocol.least_squares import fit, length, less

FEW, HELD_BYTES = 4, 1 << 16  # arrays of a tree, up to the end of its step
ELEMENTS = 3  # fewer are a multiple of others by chance
ROUNDINGS = {"float16": 2.0**-11, "bfloat16": 2.0**-8}  # relative, of one operation
SINGLE = 2.0**-24
OPERATIONS = 4  # between a gradient and an update, that round: casts, products, quotients
TOLERANCE = 2e-2  # of a length: where rounding may leave more, nothing is decided


Pending = Callable[[list[Any]], int]


class Sketch:
    """Elements in order, the largest relative rounding error of their types, and the length of all such errors."""

    def __init__(self, values: tuple[float, ...], rounding: float, noise: float) -> None:
        self.values, self.rounding, self.noise = values, rounding, noise

    def plus(self, other: Sketch, weight: float = 1.0) -> Sketch:
        """Add another one, as the program would: with one rounding more."""
        values, rounding = less(self.values, other.values, -weight), max(self.rounding, other.rounding)
        return Sketch(values, rounding, self.noise + abs(weight) * other.noise + rounding * length(values))

    def joined(self, other: Sketch) -> Sketch:
        """Put the elements of another one behind its own."""
        rounding = max(self.rounding, other.rounding)
        return Sketch(self.values + other.values, rounding, math.hypot(self.noise, other.noise))


class Held:
    """A few arrays of a step by path, until they are read: once the program has evaluated them."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays = arrays
        self._known: dict[tuple[str, ...], Sketch | None] = {}

    @property
    def first(self) -> Any:
        """The first of them; None where there is none."""
        return next(iter(self.arrays.values()), None)

    def read(self, pending: Pending, among: Mapping[str, Any] | None = None) -> Sketch | None:
        """Return the elements of those whose paths are `among` others; None where any of them is pending."""
        paths = tuple(path for path in self.arrays if among is None or path in among)
        if paths not in self._known:
            arrays = [self.arrays[path] for path in paths]
            self._known[paths] = sketch(arrays) if arrays and not pending(arrays) else None
        return self._known[paths]

    def read_early(self, pending: Pending) -> None:
        """Read all of them before they may change in place, where they are evaluated; those that are not are left."""
        if self.arrays and not pending([*self.arrays.values()]):
            self.read(lambda _: 0)


def few(named: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Choose the arrays of a tree that are sketched: small ones with elements enough, and no lone row at first."""
    found, budget = dict[str, Any](), HELD_BYTES
    for *_, path, one in sorted((one.size < ELEMENTS, is_vector(one), one.size, path, one) for path, one in named):
        if one.size and one.nbytes <= budget and len(found) < FEW:
            budget -= one.nbytes
            found[path] = one
    return found


def sketch(arrays: list[Any]) -> Sketch:
    """Read some elements of evaluated arrays, all in one evaluation."""
    each = lazy_graph.numbers_each([lazy_graph.sample(one) for one in arrays])
    roundings = [ROUNDINGS.get(str(one.dtype).rpartition(".")[2], SINGLE) for one in arrays]
    noise = math.hypot(*(rounding * length(values) for values, rounding in zip(each, roundings, strict=True)))
    return Sketch(tuple(value for values in each for value in values), max(roundings), OPERATIONS * noise)


def weights(of: Sketch, columns: Sequence[Sketch]) -> tuple[float, ...] | None:
    """Explain a sketch as a weighted sum of others; None where more is left than rounding leaves.

    Few unknowns are sure: gradients of micro-batches are nearly parallel, and a bias has few elements. A hypothesis
    about many calls is one column, their `sum_of`.
    """
    if len(of.values) < ELEMENTS or not any(of.values) or any(len(one.values) != len(of.values) for one in columns):
        return None
    found = fit([one.values for one in columns], of.values)
    if found is None:
        return None
    noise = of.noise + sum(abs(weight) * one.noise for weight, one in zip(found.weights, columns, strict=True))
    return found.weights if found.left <= min(noise, TOLERANCE * length(of.values)) else None


def share(of: Sketch, calls: Sequence[Sketch]) -> float | None:
    """Return the factor by which a sketch is the sum of calls'; None where it is no multiple of that."""
    found = weights(of, [sum_of(calls)])
    return found[0] if found else None


def sum_of(calls: Sequence[Sketch]) -> Sketch:
    """Add them up in order."""
    return functools.reduce(Sketch.plus, calls)


def last_of(of: Sketch, calls: Sequence[Sketch]) -> tuple[int, float]:
    """Return of how many of the last calls a sketch is the sum, all of them first, and by which factor; or 0."""
    for many in (len(calls), *range(1, len(calls))):
        found = share(of, calls[-many:])
        if found is not None:
            return many, found
    return 0, 0.0
