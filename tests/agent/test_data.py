"""What is read of batches: the loss of the best constant, and what a batch is a part of."""

from __future__ import annotations

import math

import mlx.core as mx
import pytest

from mlxprobe.agent import within
from mlxprobe.agent.inspectors.data import Targets


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
