"""Gradients explained as sums of others: by least squares, as exactly as their types round."""

from __future__ import annotations

import mlx.core as mx
import pytest

from mlxprobe.agent.sampling.sketches import Held, few, last_of, share, sketch, weights

DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}


def micro_batches(many: int, dtype: mx.Dtype = mx.float32, size: int = 12) -> list[mx.array]:
    mx.random.seed(many)
    return [mx.random.normal((size,)).astype(dtype) for _ in range(many)]


def added(gradients: list[mx.array]) -> mx.array:
    total = gradients[0]
    for one in gradients[1:]:
        total = total + one
    return total


@pytest.mark.parametrize("factor", [1.0, 0.25, 1 / 3, -0.5])
@pytest.mark.parametrize("many", [1, 2, 4, 16])
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_a_sum_is_a_sum_in_any_precision(dtype: mx.Dtype, many: int, factor: float) -> None:
    calls = micro_batches(many, dtype)
    found = share(sketch([added(calls) * factor]), [sketch([one]) for one in calls])
    assert found == pytest.approx(factor, rel=2e-2)


@pytest.mark.parametrize("off", [0.1, 1e-2, 1e-3, 1e-4, 1e-5])
def test_another_part_is_seen_down_to_the_rounding_of_the_type(off: float) -> None:
    calls = micro_batches(5)
    wrong = added(calls[:4]) + off * calls[4]
    assert share(sketch([wrong]), [sketch([one]) for one in calls[:4]]) is None


def test_what_rounds_coarsely_is_compared_coarsely() -> None:
    gradient = micro_batches(1)[0]
    rounded = gradient.astype(mx.bfloat16)
    assert share(sketch([rounded]), [sketch([gradient])]) == pytest.approx(1.0, rel=1e-2)
    assert share(sketch([rounded.astype(mx.float32)]), [sketch([gradient])]) is None  # as far as is known


def test_small_differences_of_large_numbers_are_compared_as_such() -> None:
    parameter, gradient = 1e3 + micro_batches(1)[0], micro_batches(2)[1]
    move = sketch([parameter - 0.1 * gradient]).plus(sketch([parameter]), -1.0)
    assert share(move, [sketch([gradient])]) == pytest.approx(-0.1, rel=1e-2)


@pytest.mark.parametrize(
    ("taken", "of"), [(6, 6), (1, 6), (4, 6), (5, 6)], ids=["all", "the last", "the last four", "all but the first"]
)
def test_the_last_calls_that_an_update_takes_are_counted(taken: int, of: int) -> None:
    calls = micro_batches(of)
    found = last_of(sketch([added(calls[-taken:]) / taken]), [sketch([one]) for one in calls])
    assert found[0] == taken and found[1] == pytest.approx(1 / taken)


@pytest.mark.parametrize("bend", [lambda g: mx.clip(g, -0.5, 0.5), lambda g: mx.where(g > 1, 2 * g, g), mx.sign])
def test_what_bends_gradients_is_no_sum(bend: object) -> None:
    calls = micro_batches(3)
    bent = bend(added(calls))  # type: ignore[operator]
    assert last_of(sketch([bent]), [sketch([one]) for one in calls]) == (0, 0.0)


def test_what_is_carried_over_has_a_weight_of_its_own() -> None:
    first, second, third = micro_batches(3)
    found = weights(sketch([first + second + third]), [sketch([third]), sketch([first + second])])
    assert found == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("size", [1, 2])
def test_few_elements_explain_nothing(size: int) -> None:
    gradient = micro_batches(1, size=size)[0]
    assert share(sketch([gradient]), [sketch([gradient])]) is None


def test_zeros_explain_nothing_and_are_not_explained() -> None:
    gradient, zeros = sketch([micro_batches(1)[0]]), sketch([mx.zeros(12)])
    assert (share(zeros, [gradient]), share(gradient, [zeros])) == (None, None)


def test_small_arrays_with_elements_enough_are_chosen() -> None:
    named = [(str(shape), mx.zeros(shape)) for shape in [(1,), (1024, 64), (3,), (1, 40), (0,), (8, 8), (5,)]]
    assert list(few(named)) == ["(3,)", "(5,)", "(8, 8)", "(1, 40)"]


def test_arrays_are_read_once_they_are_evaluated_and_over_the_same_paths() -> None:
    held = Held({"a": mx.array([1.0, 2.0]), "b": mx.array([3.0])})
    assert held.read(lambda _: 1) is None
    assert held.read(lambda _: 0) is None  # what was pending at a look stays so
    found = Held(held.arrays).read(lambda _: 0, {"b": 0, "c": 0})
    assert found is not None and found.values == (3.0,)
