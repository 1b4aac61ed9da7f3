"""Losses are seen whether a program reads, gathers, evaluates or sums them; without any evaluation they are not."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import mlx.core as mx
import pytest

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.recording import loss_history
from mlxprobe.agent.recording.loss_history import LONG_PAST, LossPath


@pytest.fixture
def seen() -> list[tuple[int, float, int]]:
    return []


@pytest.fixture
def path(seen: list[tuple[int, float, int]], monkeypatch: pytest.MonkeyPatch) -> LossPath:
    monkeypatch.setattr(loss_history, "FREE_S", 60.0)  # however busy the machine is
    made = LossPath(lambda *reading: seen.append(reading))
    made.schedule = mx.async_eval
    return made


def schedule(path: LossPath, one: mx.array) -> None:
    path.schedules()
    mx.async_eval(one)


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
    schedule(path, one)
    path.settle()
    assert seen == []


def test_what_was_only_scheduled_is_read_when_it_is_long_past(
    path: LossPath, seen: list[tuple[int, float, int]]
) -> None:
    for call in range(1, LONG_PAST + 3):
        one = loss(float(call))
        path.follow(one, call, 0)
        schedule(path, one)
        path.settle()
    assert seen == [(1, 2.0, 0), (2, 4.0, 0)]
    path.settle(ended=True)
    assert len(seen) == LONG_PAST + 2


def test_a_loss_that_was_scheduled_and_then_read_is_noted_once(
    path: LossPath, seen: list[tuple[int, float, int]]
) -> None:
    one = loss(1.0)
    path.follow(one, 1, 0)
    schedule(path, one)
    path.settle()
    path.read(one, one.item())
    path.settle(ended=True)
    assert seen == [(1, 2.0, 0)]


@pytest.mark.parametrize("value", [None, 3.0, (), {"a": 1}, mx.zeros((4,)), mx.array(3)])
def test_what_is_no_loss_is_left_alone(path: LossPath, seen: list[tuple[int, float, int]], value: object) -> None:
    path.follow(value, 1, 0)
    path.settle()
    assert seen == []


def summed(path: LossPath, count: int, *, waited: bool, made: Callable[[float], mx.array] = loss) -> mx.array:
    """Give a path losses that nothing but their sum keeps."""
    total = mx.array(0.0)
    for call in range(1, count + 1):
        one = made(float(call))
        path.take(one, call, 0)
        total = total + one
        del one
        path.settle(waited=waited)
    return total


@pytest.mark.parametrize("alone", [True, False])
def test_a_loss_in_a_running_sum_is_read_now_and_then_where_no_other_rank_takes_part(
    path: LossPath, seen: list[tuple[int, float, int]], alone: bool
) -> None:
    path.may_compute = lambda: alone
    summed(path, 80, waited=True)
    assert [call for call, _, _ in seen] == (list(range(1, 80, 4)) if alone else [])
    assert all(value == 2.0 * call for call, value, _ in seen)


def test_the_last_loss_is_read_whatever_its_number(path: LossPath, seen: list[tuple[int, float, int]]) -> None:
    path.take(loss(1.0), 1, 0)
    path.settle(waited=True)
    last = loss(2.0)
    path.take(last, 2, 0)
    path.settle(waited=True, ended=True)
    assert [call for call, _, _ in seen] == [1, 2]


def test_most_losses_of_a_running_sum_keep_their_graphs(path: LossPath) -> None:
    """A sum that holds memory is a finding: watching must not make it go away."""
    total = summed(path, 400, waited=True)
    alone = summed(path, 400, waited=False)
    assert lazy_graph.pending([total]) > 0.8 * lazy_graph.pending([alone])


def test_losses_of_a_list_are_left_to_the_program(path: LossPath, seen: list[tuple[int, float, int]]) -> None:
    kept = [loss(float(call)) for call in range(1, 40)]
    for call, one in enumerate(kept, 1):
        path.take(one, call, 0)
        path.settle(waited=True)
    assert len(seen) == 1  # of the first nothing tells that it is kept


def test_a_forward_pass_that_the_program_has_not_evaluated_is_not_evaluated(
    path: LossPath, seen: list[tuple[int, float, int]]
) -> None:
    summed(path, 40, waited=True, made=lambda value: (mx.full((4, 4), value) @ mx.ones((4, 4))).sum())
    assert seen == []


def test_a_loss_whose_gradients_are_only_scheduled_is_scheduled_too(
    path: LossPath, seen: list[tuple[int, float, int]]
) -> None:
    path.readable_from = 1000
    summed(path, 30, waited=True)
    assert [call for call, _, _ in seen] == [1, 5, 9, 13]  # long past
    path.settle(ended=True)
    assert [call for call, _, _ in seen] == list(range(1, 30, 4))


def test_a_loss_of_another_thread_is_not_evaluated_here(path: LossPath, seen: list[tuple[int, float, int]]) -> None:
    one = loss(1.0)
    maker = Thread(target=path.take, args=(one, 1, 0))
    maker.start()
    maker.join()
    path.settle(waited=True)
    assert seen == []
