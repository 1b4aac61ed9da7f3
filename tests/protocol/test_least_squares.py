"""The weights by which vectors add up to another, where they are determined."""

import math

import pytest

from mlxprobe.protocol.least_squares import fit, length, total

ONE, TWO, THREE = (1.0, 2.0, 0.0, -1.0, 3.0, 0.5), (0.0, 1.0, 1.0, 4.0, -2.0, 1.0), (2.0, 0.0, -3.0, 1.0, 1.0, 1.0)


def weighted(*pairs: tuple[float, tuple[float, ...]]) -> tuple[float, ...]:
    return total([weight * value for value in column] for weight, column in pairs)


@pytest.mark.parametrize("weights", [(1.0,), (0.25, 0.25), (1.0, 0.0, 1.0), (0.0, -2.0, 1e-3)])
def test_the_weights_of_a_sum_are_found(weights: tuple[float, ...]) -> None:
    columns = (ONE, TWO, THREE)[: len(weights)]
    found = fit(columns, weighted(*zip(weights, columns, strict=True)))
    assert found is not None and found.weights == pytest.approx(weights, abs=1e-12) and found.left < 1e-12


def test_what_is_no_sum_leaves_its_part_at_right_angles() -> None:
    found = fit([(1.0, 0.0, 0.0)], (3.0, 4.0, 0.0))
    assert found is not None and (found.weights, found.left) == ((3.0,), 4.0)


@pytest.mark.parametrize(
    "columns",
    [(ONE, ONE), (ONE, (0.0,) * 6), ((0.0,) * 6,), (ONE, TWO, weighted((1.0, ONE), (-2.0, TWO))), (ONE[:2], TWO[:2])],
    ids=["twice the same", "a zero", "only a zero", "a sum of the others", "fewer elements than weights"],
)
def test_weights_that_are_not_determined_are_not_invented(columns: tuple[tuple[float, ...], ...]) -> None:
    assert fit(columns, THREE[: len(columns[0])]) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_leaves_no_small_rest(value: float) -> None:
    found = fit([(value, *ONE[1:])], TWO)
    assert found is None or not found.left <= length(TWO)
