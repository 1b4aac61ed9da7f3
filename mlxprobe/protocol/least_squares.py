"""Least squares of a few unknowns, for the agent and the rules: a vector as the sum of others, each with a weight."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Vector = Sequence[float]
APART = 1e-3  # of a column's length: less is left of it by the columns before where the weights are not determined


class Fit:
    """The weights of the columns, and the length of what they leave."""

    def __init__(self, weights: tuple[float, ...], left: float) -> None:
        self.weights, self.left = weights, left


def fit(columns: Sequence[Vector], whole: Vector) -> Fit | None:
    """Weigh the columns so that they add up to the whole; None where several ways do, or elements are too few."""
    if 2 * len(columns) > len(whole):
        return None
    basis: list[Vector] = []
    upper: list[list[float]] = []
    for column in columns:
        size, rest, row = length(column), column, []
        for one in basis:
            row.append(dot(one, rest))
            rest = less(rest, one, row[-1])
        row.append(length(rest))
        if not size or row[-1] < APART * size:
            return None
        basis.append([value / row[-1] for value in rest])
        upper.append(row)
    left, along = whole, []
    for one in basis:
        along.append(dot(one, left))
        left = less(left, one, along[-1])
    weights: list[float] = []  # from the last
    for k in reversed(range(len(columns))):
        later = sum(upper[j][k] * weights[-(j - k)] for j in range(k + 1, len(columns)))
        weights.append((along[k] - later) / upper[k][k])
    return Fit(tuple(weights[::-1]), length(left))


def length(a: Vector) -> float:
    """Return the Euclidean length."""
    return math.sqrt(dot(a, a))


def dot(a: Vector, b: Vector) -> float:
    """Return the product of two vectors."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def less(a: Vector, b: Vector, weight: float = 1.0) -> tuple[float, ...]:
    """Subtract a vector, with a weight."""
    return tuple(x - weight * y for x, y in zip(a, b, strict=True))


def total(vectors: Iterable[Vector]) -> tuple[float, ...]:
    """Add vectors."""
    return tuple(map(sum, zip(*vectors, strict=True)))
