"""Losses are seen whether a program reads them, gathers them, or evaluates them alone; what it does not, is not."""

from __future__ import annotations

import mlx.core as mx
import pytest

from mlxprobe.agent.record import losspath
from mlxprobe.agent.record.losspath import LONG_PAST, LossPath


@pytest.fixture
def seen() -> list[tuple[int, float, int]]:
    return []


@pytest.fixture
def path(seen: list[tuple[int, float, int]], monkeypatch: pytest.MonkeyPatch) -> LossPath:
    monkeypatch.setattr(losspath, "FREE_S", 60.0)  # however busy the machine is
    monkeypatch.setattr(Core, "async_eval", staticmethod(mx.async_eval))
    made = LossPath(lambda *reading: seen.append(reading))
    made.install(Core)
    return made


class Core:
    async_eval = staticmethod(mx.async_eval)


def loss(value: float) -> mx.array:
    return mx.array(value) * 2.0


def test_a_loss_that_is_read_twice_is_noted_once(path: LossPath, seen: list[tuple[int, float, int]]) -> None:
    one = loss(1.0)
    path.follow(one, 1, 0)
    path.read(one, one.item())
    path.read(one, one.item())
    path.settle()
    assert seen == [(1, 2.0, 0)]


def test_a_loss_whose_sum_alone_is_kept_is_read_once_it_is_evaluated(
    path: LossPath, seen: list[tuple[int, float, int]]
) -> None:
    total = mx.array(0.0)
    for call in range(1, 4):
        one = loss(float(call))
        path.follow((one, mx.zeros((3,))), call, 0)
        total = total + one
        del one
        mx.eval(total)
        path.settle()
    assert seen == [(1, 2.0, 0), (2, 4.0, 0), (3, 6.0, 0)]


def test_losses_in_a_list_are_read_when_their_mean_is(path: LossPath, seen: list[tuple[int, float, int]]) -> None:
    kept = [loss(float(call)) for call in range(3)]
    for call, one in enumerate(kept):
        path.follow(one, call, 0)
    mean = mx.mean(mx.stack(kept))
    path.read(mean, mean.item())
    assert [value for _, value, _ in seen] == [0.0, 2.0, 4.0]


def test_what_nothing_has_evaluated_stays_unevaluated(path: LossPath, seen: list[tuple[int, float, int]]) -> None:
    for call in range(20):
        path.follow(loss(1.0), call, 0)
        path.settle()
    assert seen == []
    assert path._newest is None  # and nothing is held any more


def test_nothing_waits_for_what_was_only_scheduled(path: LossPath, seen: list[tuple[int, float, int]]) -> None:
    one = loss(1.0)
    path.follow(one, 1, 0)
    Core.async_eval(one)
    path.settle()
    assert seen == []


def test_what_was_only_scheduled_is_read_when_it_is_long_past(
    path: LossPath, seen: list[tuple[int, float, int]]
) -> None:
    for call in range(1, LONG_PAST + 3):
        one = loss(float(call))
        path.follow(one, call, 0)
        Core.async_eval(one)
        path.settle()
    assert seen == [(1, 2.0, 0), (2, 4.0, 0)]
    path.settle(ended=True)
    assert len(seen) == LONG_PAST + 2


def test_a_loss_that_was_scheduled_and_then_read_is_noted_once(
    path: LossPath, seen: list[tuple[int, float, int]]
) -> None:
    one = loss(1.0)
    path.follow(one, 1, 0)
    Core.async_eval(one)
    path.settle()
    path.read(one, one.item())
    path.settle(ended=True)
    assert seen == [(1, 2.0, 0)]


@pytest.mark.parametrize("value", [None, 3.0, (), {"a": 1}, mx.zeros((4,)), mx.array(3)])
def test_what_is_no_loss_is_left_alone(path: LossPath, seen: list[tuple[int, float, int]], value: object) -> None:
    path.follow(value, 1, 0)
    path.settle()
    assert seen == []


@pytest.mark.parametrize("alone", [True, False])
def test_a_loss_that_nobody_reads_is_computed_where_no_other_rank_could_hear_of_it(path: LossPath, alone: bool) -> None:
    path.may_compute = lambda: alone
    for call in range(1, 80):
        one = loss(float(call))
        path.take(one, call, 0)
        path.hand_on(known=True)
        path.settle()
    assert bool(path.unread) is alone
