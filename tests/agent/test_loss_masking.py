"""Which positions carry loss is read off the program's own gradient, and that gradient stays what it was."""

from __future__ import annotations

import mlx.core as mx
import pytest

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.loss_classifier import LossKind
from mlxprobe.agent.inspectors.losses.loss_masking import longest_run, longest_tail, rows_of, tail


@pytest.mark.parametrize(
    ("ids", "shapes", "rows"),
    [((4, 9), set(), 4), ((4, 9, 1), set(), 4), ((36, 1), {(4, 10)}, 4), ((36,), {(6, 6)}, 6), ((36,), {(5, 5)}, 0)],
    ids=["their own", "with an axis for the choice", "shifted by one", "flat", "of nothing that was given"],
)
def test_the_rows_of_targets_are_found(ids: tuple[int, ...], shapes: set[tuple[int, ...]], rows: int) -> None:
    assert rows_of(mx.zeros(ids, mx.int32), shapes) == rows


def test_tails_and_runs_are_counted() -> None:
    rows = [[3, 4, 4, 0, 0], [5, 0, 0, 0, 0], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]]
    assert longest_tail(rows[:3]) == 0
    assert [tail(row, 0) for row in rows] == [2, 4, 0, 5]
    assert [longest_run(row) for row in rows] == [2, 4, 1, 5]
    assert longest_run([]) == 0


def same(values: mx.array, told: list[mx.array]) -> mx.array:
    tap = mx.custom_function(lambda one: one)

    @tap.vjp  # type: ignore[untyped-decorator]
    def back(_: mx.array, cotangent: mx.array, __: mx.array) -> mx.array:
        told.append(cotangent)
        return cotangent

    result: mx.array = tap(values)
    return result


def test_an_identity_with_a_gradient_of_its_own_hides_nothing_of_a_loss() -> None:
    logits, ids = mx.random.normal((6, 5)), mx.array([0, 3, 2, 4, 1, 1])

    def loss(logits: mx.array, told: list[mx.array] | None) -> mx.array:
        chosen = mx.take_along_axis(mx.softmax(logits, axis=-1), ids[:, None], axis=-1)
        return -mx.log(chosen if told is None else same(chosen, told)).mean()

    told: list[mx.array] = []
    found = [LossKind(lazy_graph.dot(loss=loss(logits, one), a=logits), frozenset("a")) for one in (None, told)]
    assert [one.hand_written() for one in found] == ["of a softmax", "of a softmax"]
    assert [one.scalings() for one in found] == [found[0].scalings()] * 2
    ours, theirs = (mx.grad(loss)(logits, one) for one in (told, None))
    mx.eval(ours, theirs)
    assert mx.array_equal(ours, theirs)
    assert lazy_graph.pending(told) == 0 < len(told)
