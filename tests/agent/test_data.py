"""What is read of batches: the loss of the best constant, and what a batch is a part of."""

from __future__ import annotations

import math
import random

import mlx.core as mx
import pytest

from mlxprobe.agent import within
from mlxprobe.agent.inspectors.data import Targets
from mlxprobe.agent.inspectors.pairs import BELONG, Path

RUNS = 200


def test_of_classes_the_best_constant_has_their_entropy() -> None:
    targets = Targets("classes")
    for _ in range(100):
        targets.add(mx.array([0, 0, 0, 1]))
    level, error = targets.level()
    assert level == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25), abs=0.01)
    assert 0 < error < 0.05


def test_of_numbers_the_best_constant_has_their_variance_by_column() -> None:
    targets = Targets("square")
    for k in range(4):
        targets.add(mx.array([[1.0, 5.0 + k], [-1.0, 5.0 + k]]))
    assert targets.level()[0] == pytest.approx((1.0 + 1.25) / 2)


@pytest.mark.parametrize(
    "shares", [(0.5, 0.5), (0.8, 0.2), (0.1,) * 10, (0.03,) * 30], ids=["two", "uneven", "ten", "many"]
)
@pytest.mark.parametrize("again", [20, 45, 400])
def test_targets_that_half_belong_to_their_rows_are_torn_once_in_hundreds(
    shares: tuple[float, ...], again: int
) -> None:
    """Whoever labels anew each time, half at random, has not shuffled; whoever has, is mostly told at length."""
    draw = random.Random(again)
    torn = {0.0: 0, BELONG: 0}
    for belong in torn:
        for _ in range(RUNS):
            path = Path()
            for row in range(again):
                first, other = draw.choices(range(len(shares)), shares, k=2)
                path.take((row,), first)
                path.take((row,), first if draw.random() < belong else other)
            torn[belong] += path.is_torn()
    assert torn[BELONG] <= 0.01 * RUNS
    assert again < 400 or torn[0.0] > 0.9 * RUNS


def test_a_batch_is_found_in_what_a_function_holds_unless_it_lies_there_whole() -> None:
    whole = {"data": mx.arange(24).reshape(8, 3)}
    batch = whole["data"][2:4]
    mx.eval(batch)
    found = within.find(batch, set())
    assert found is not None
    assert found[1:] == (8, False)
    other = whole["data"][2:4]
    mx.eval(other)
    assert within.find(batch, set()) is None
    assert within.find(batch, within.names(other)) is not None  # the next batch is no data set
