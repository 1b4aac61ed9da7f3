"""What is read of batches: the loss of the best constant, and what a batch is a part of."""

from __future__ import annotations

import math
import random

import mlx.core as mx
import numpy as np
import pytest

from mlxprobe.agent.inspectors.data.label_consistency import BELONG, Path
from mlxprobe.agent.inspectors.losses.constant_baseline import Targets
from mlxprobe.agent.recording import row_lookup, source_arrays
from mlxprobe.agent.recording.row_ledger import ELEMENTS, MOST, ROWS, Ledger, hashes

RUNS = 200


def test_of_classes_the_best_constant_has_their_entropy() -> None:
    targets = Targets("classes")
    for _ in range(100):
        targets.add(mx.array([0, 0, 0, 1]), None)
    level, error = targets.level()
    assert level == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25), abs=0.01)
    assert 0 < error < 0.05


def test_of_numbers_the_best_constant_has_their_variance_by_column() -> None:
    targets = Targets("square")
    for k in range(4):
        targets.add(mx.array([[1.0, 5.0 + k], [-1.0, 5.0 + k]]), None)
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
            pairs = [draw.choices(range(len(shares)), shares, k=2) for _ in range(again)]
            path.take([None] * again, [first for first, _ in pairs])
            for first, other in pairs:
                path.take([first], [first if draw.random() < belong else other])
            torn[belong] += path.is_torn()
    assert torn[BELONG] <= 0.01 * RUNS
    assert again < 400 or torn[0.0] > 0.9 * RUNS


def test_a_batch_is_found_in_what_a_function_holds_unless_it_lies_there_whole() -> None:
    whole = {"data": mx.arange(24).reshape(8, 3)}
    batch = whole["data"][2:4]
    mx.eval(batch)
    found = source_arrays.find(batch, {})
    assert found is not None
    assert found[1:] == (8, False)
    other = whole["data"][2:4]
    mx.eval(other)
    assert source_arrays.find(batch, {}) is None
    called = source_arrays.names(other)
    assert source_arrays.find(batch, called) is None
    other = whole["data"][2:4]
    mx.eval(other)
    assert source_arrays.find(batch, called) is not None  # it is made anew for each step


@pytest.mark.parametrize("kind", ["square", "classes"])
def test_what_a_model_gains_on_the_best_constant_is_counted_on_the_same_rows(kind: str) -> None:
    """The second half is of rows whose constant's loss is three times that of the first: no gain of the model's."""
    draw = random.Random(1)
    for skill in (0.0, 0.05):
        targets = Targets(kind)
        for look in range(12):
            wide, rows = (1.0, 3.0)[look > 5], [draw.choice([0, 0, 0, 1]) for _ in range(1024)]
            values = [draw.gauss(0, wide) for _ in range(1024)] if kind == "square" else [float(one) for one in rows]
            share = sum(values) / 1024
            best = sum(one**2 for one in values) / 1024
            if kind == "classes":
                best = -(share * math.log(0.25) + (1 - share) * math.log(0.75))
            targets.add(mx.array(values), best - skill)
        mean, error = targets.gain()
        assert mean == pytest.approx(skill, abs=0.01) and error < 0.01


def test_one_hot_rows_are_told_apart() -> None:
    draw = random.Random(2)
    rows = mx.array([[[float(draw.randrange(4) == 0) for _ in range(4)] for _ in range(48)] for _ in range(64)])
    assert len({*hashes(rows)}) == 64


def test_the_ledger_knows_what_a_row_came_with_first_and_whether_it_has_moved() -> None:
    ledger, rows = Ledger(), mx.arange(24.0).reshape(4, 6)
    assert ledger.enter("task", [rows], [0.0, 1.0, 0.0, 1.0]) == [None] * 4
    assert ledger.enter("other", [rows], [0.0, 1.0, 0.0, 1.0]) == [None] * 4
    assert ledger.enter("task", [rows.astype(mx.int32)], [1.0, 1.0, 1.0, 1.0]) == [0.0, 1.0, 0.0, 1.0]
    assert ledger.moved == 0
    assert ledger.enter("task", [rows[mx.array([3, 0])]], [5.0, 6.0]) == [1.0, 0.0]
    assert ledger.moved == 2


def test_a_row_of_several_inputs_is_known_by_all_of_them() -> None:
    ledger, rows = Ledger(), mx.arange(24.0).reshape(4, 6)
    ledger.enter("task", [rows, rows[::-1]], [0.0, 1.0, 2.0, 3.0])
    assert ledger.enter("task", [rows, rows], [0.0] * 4) == [None] * 4
    assert ledger.enter("task", [rows, rows[::-1]], [0.0] * 4) == [0.0, 1.0, 2.0, 3.0]


def test_a_row_twice_in_a_batch_comes_again_and_rows_beyond_the_first_are_not_read() -> None:
    ledger = Ledger()
    assert ledger.enter("task", [mx.ones((3, 4))], [1.0, 2.0, 3.0]) == [None, 1.0, 1.0]
    assert len(ledger.enter("task", [mx.zeros((ROWS + 9, 4))], [0.0] * ROWS)) == ROWS


def test_of_very_long_rows_as_many_are_read_as_the_budget_of_a_look_allows() -> None:
    rows = mx.arange(4 * ELEMENTS).reshape(8, ELEMENTS // 2)
    ledger = Ledger()
    assert len(ledger.enter("task", [rows, mx.ones((8, 4))], [0.0] * 8)) == 2
    assert len(ledger.enter("task", [mx.concatenate([rows[:2]] * 4, axis=1)], [0.0, 1.0])) == 1
    assert list(hashes(rows[:3])) == [next(hashes(rows[k : k + 1])) for k in range(3)]


def test_the_ledger_holds_no_more_than_its_budget() -> None:
    ledger = Ledger()
    for at in range(0, MOST + 5 * ROWS, ROWS):
        rows = mx.arange(at, at + ROWS).reshape(ROWS, 1)
        ledger.enter("task", [rows], [0.0] * ROWS)
    assert ledger.enter("task", [rows], [0.0] * ROWS) == [None] * ROWS
    assert ledger.enter("task", [mx.arange(ROWS).reshape(ROWS, 1)], [1.0] * ROWS) == [0.0] * ROWS


def test_a_loss_that_is_not_finite_gains_nothing() -> None:
    targets = Targets("square")
    for look in range(8):
        targets.add(mx.array([1.0, 2.0, 3.0]), math.inf if look > 5 else 0.5)
    assert all(map(math.isfinite, targets.gain()))


def test_a_row_lies_where_all_of_its_numbers_are_and_not_where_some_are() -> None:
    mx.random.seed(0)
    whole = mx.random.normal((40, 8, 8))
    assert row_lookup.positions(whole[10:14], whole) == [10, 11, 12, 13]
    other = whole.reshape(40, 64) + (mx.arange(64) % 2)  # every other number is another one
    assert row_lookup.positions(other.reshape(40, 8, 8)[10:14], whole) == [None] * 4
    assert row_lookup.matches(other.reshape(40, 8, 8)[10:14], whole) == [[]] * 4


def test_a_row_that_comes_several_times_has_several_places_and_its_position_is_not_known() -> None:
    whole = mx.array([[0.0, 1, 2, 3], [4, 5, 6, 7], [-0.0, 1, 2, 3]])
    assert row_lookup.matches(whole[:2], whole) == [[0, 2], [1]]
    assert row_lookup.positions(whole[:2], np.array(whole, np.float64)) == [None, 1]


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16, mx.int32, mx.uint8])
def test_equal_numbers_have_one_hash_whatever_their_type(dtype: mx.Dtype) -> None:
    rows = mx.array([[0, 1, 2], [3, 4, 5], [0, 1, 2]])
    first, other, again = hashes(rows.astype(dtype))
    assert (first, other, again) == tuple(hashes(np.array(rows, np.float64)))
    assert first == again != other
    assert list(hashes(rows.T[:, ::2])) == list(hashes(mx.array([[0, 0], [1, 1], [2, 2]])))
    assert list(hashes(mx.zeros((0, 4)))) == []


def test_numbers_lie_among_others_in_a_row_up_to_the_end() -> None:
    values = [1.0, 2.0, 1.0, 3.0]
    assert row_lookup.starts([1.0, 3.0], values)
    assert not row_lookup.starts([3.0, 1.0], values)
    assert not row_lookup.starts([2.0, 3.0], values)
