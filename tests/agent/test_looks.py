"""Which steps are looked at, and what is drawn: enough to prove growth, and never more than is paid for."""

from __future__ import annotations

import pytest

from mlxprobe.agent.sampling.overhead_budget import DRAWN_PER_S, ONE_LOOK_S, SHARE, Looks, is_landmark, next_landmark


def drawn(per_step: list[int], step_s: float = 0.001) -> dict[int, int]:
    """Return what is drawn of a graph to which each step adds so many operations, by step."""
    looks, seen, now_s = Looks(), {}, 0.0
    looks.began_s = now_s
    for step in range(1, len(per_step) + 1):
        if looks.is_due(step, now_s) and looks.affords("update", step, step):
            seen[step] = sum(per_step[:step])
            looks.drawn("update", step, seen[step])
            looks.spend(seen[step] / DRAWN_PER_S)
        now_s += step_s
        looks.complete(now_s)
    return seen


def test_early_landmarks_show_a_slope_and_later_ones_are_few() -> None:
    assert [step for step in range(1, 130) if is_landmark(step)] == [1, 2, 3, 4, 6, 8, 12, 16, 33, 64, 129]


def test_the_next_landmark_is_the_first_that_has_not_been() -> None:
    for step in range(1, 600):
        assert next_landmark(step) == next(one for one in range(step, 1100) if is_landmark(one))


def test_a_graph_that_grows_is_drawn_while_that_is_cheap_and_then_no_more() -> None:
    seen = drawn([1163] * 400)
    assert len(seen) >= 5
    assert max(seen.values()) <= ONE_LOOK_S * DRAWN_PER_S


def test_a_graph_that_is_steady_is_drawn_at_every_landmark() -> None:
    seen = drawn([2650] + [0] * 299)
    assert set(seen) >= {1, 2, 3, 4, 6, 8, 12, 16, 33, 64, 129, 256}


def test_what_was_spent_is_paid_for_by_the_run_before_a_step_is_looked_at_out_of_turn() -> None:
    looks = Looks()
    looks.began_s = 100.0
    looks.spend(0.01)
    looks.complete(100.0)
    assert not looks.is_due(5, 100.0 + 0.9 * 0.01 / SHARE)
    assert looks.is_due(5, 100.0 + 1.1 * 0.01 / SHARE)


def test_a_look_that_costs_too_much_waits_until_the_run_is_long_enough() -> None:
    looks = Looks()
    looks.began_s = 100.0
    for _ in range(2):
        looks.spend(3 * ONE_LOOK_S)
        looks.complete(100.0)
    assert not looks.is_due(513, 100.0 + 2 * ONE_LOOK_S / SHARE)
    assert looks.is_due(513, 100.0 + 4 * ONE_LOOK_S / SHARE)


def test_a_look_may_cost_a_step_at_landmarks_so_that_a_slow_machine_sees_what_a_fast_one_does() -> None:
    looks = Looks()
    looks.began_s = 100.0
    for _ in range(2):
        looks.spend(3 * ONE_LOOK_S)
        looks.complete(100.0)
    assert looks.is_due(8, 100.0 + 8 * 4 * ONE_LOOK_S)
    assert not looks.is_due(8, 100.0 + 8 * 2 * ONE_LOOK_S)
    assert not looks.is_due(9, 100.0 + 9 * 4 * ONE_LOOK_S)


def test_the_first_look_alone_tells_nothing_of_the_next() -> None:
    looks = Looks()
    looks.began_s = 100.0
    looks.spend(10 * ONE_LOOK_S)  # it compiles and imports
    looks.complete(100.0)
    assert looks.is_due(2, 100.1)


def test_what_is_imported_once_tells_nothing_of_the_next_look_and_is_paid_for() -> None:
    looks = Looks()
    looks.began_s = 100.0
    for _ in range(2):
        looks.spend(0.1 * ONE_LOOK_S, once_s=10 * ONE_LOOK_S)
        looks.complete(100.0)
    assert looks.is_due(3, 100.1)
    assert not looks.is_due(5, 100.0 + 20 * ONE_LOOK_S / SHARE)


def test_a_new_thing_may_hold_what_grows_beside_it() -> None:
    looks = Looks()
    looks.began_s = 100.0
    for step in (1, 2, 3, 4):
        looks.drawn("update", step, 8000 * step)
        looks.complete(100.0)
    assert not looks.affords("total", 5, lazy_steps=0)


def test_the_first_looks_are_made_also_where_a_slow_machine_takes_a_little_longer_for_each() -> None:
    looks, looked = Looks(), []
    looks.began_s = 100.0
    for step in range(1, 20):
        if looks.is_due(step, 100.0 + 0.001 * step):
            looked.append(step)
            looks.spend(1.2 * ONE_LOOK_S)
            looks.complete(100.0 + 0.001 * step)
    assert looked[:5] == [1, 2, 3, 4, 6]
    assert len(looked) == 5


@pytest.mark.parametrize(
    ("read_at", "heard", "wanted", "proved"),
    [
        (0, False, [1, 2, 3, 4, 8], True),
        (5, False, [1, 2, 3, 4, 8], False),  # by NumPy, of which nobody hears
        (5, True, [1, 2, 3, 4, 5, 6, 7, 8], False),
        (3, True, [1, 2, 3, 4, 5, 6, 8], False),
    ],
)
def test_an_update_that_nobody_evaluates_is_drawn_at_the_first_steps_and_once_more(
    read_at: int, heard: bool, wanted: list[int], proved: bool
) -> None:
    looks, seen, waits, lazy_steps = Looks(), [], 0, 0
    looks.drawn("update", 1, 0)  # what waits before the first update
    for step in range(1, 9):
        waits, lazy_steps = waits + 1000, lazy_steps + 1
        if step == read_at:
            waits, lazy_steps = 1000, 0 if heard else lazy_steps
        if not looks.spares_drawing("update", step, lazy_steps):
            seen.append(step)
            looks.drawn("update", step, waits)
    assert seen == wanted
    assert looks.has_proved("update") is proved
