"""Parameters that change from one gradient call to the next, of trees and of modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest

from mlxprobe.agent.inspectors.gradients.along import Moved
from mlxprobe.agent.recording.parameter_moves import Followed, Moves, paths


def fresh() -> dict[str, Any]:
    return {"p": {"a": [mx.zeros(3), mx.zeros(2)], "b": mx.zeros(1)}}


def replaced(tree: dict[str, Any]) -> None:
    tree["p"] = fresh()["p"]


def one_replaced(tree: dict[str, Any]) -> None:
    tree["p"]["a"][1] = mx.ones(2)


def in_place(tree: dict[str, Any]) -> None:
    tree["p"]["b"] += 1


def kept(tree: dict[str, Any]) -> None:
    tree["p"] = {"a": list(tree["p"]["a"]), "b": tree["p"]["b"]}


@pytest.mark.parametrize(("change", "updates"), [(replaced, 3), (one_replaced, 3), (in_place, 0), (kept, 0)])
def test_arrays_that_are_others_at_the_next_call_are_an_update(change: Callable[[Any], None], updates: int) -> None:
    followed, tree = Followed(), fresh()
    followed.is_sure = True
    for _ in range(3):
        followed.begins(tree, 0)
        followed.ends(tree)
        change(tree)
    followed.finish(0)
    assert (followed.updates, followed.by_optimizer) == (updates, False)


def test_a_change_that_comes_with_an_optimizers_update_is_its_own() -> None:
    moves, function = Moves(), lambda: None
    tree, followed = fresh(), moves.of(None, function)
    for made in range(3):
        followed.begins(tree, made)
        followed.ends(tree)
        replaced(tree)
    assert followed.by_optimizer
    assert (moves.by_hand, moves.unfollowed) == (0, 0)


def test_a_call_that_leaves_copies_in_a_module_is_no_update() -> None:
    model = nn.Linear(3, 2)
    followed = Moves().of(model, None)
    for k in range(4):
        tree = {"": model.trainable_parameters()}
        followed.begins(tree, 0)
        model.update({"weight": model.weight * 1, "bias": model.bias * 1})
        followed.ends(tree, model)
        if k == 1:
            model.weight = model.weight - 1
    followed.finish(0)
    assert followed.updates == 1


def test_arguments_count_once_they_are_known_to_be_parameters_and_a_model_that_is_gone_still_does() -> None:
    moves = Moves()
    for tree in (fresh(), fresh(), fresh()):
        followed = moves.of(None, fresh)
        followed.begins(tree, 0)
        followed.ends(tree)
    assert (moves.by_hand, moves.unfollowed) == (0, 2)
    followed.is_sure = True
    assert (moves.by_hand, moves.unfollowed) == (2, 0)


def test_a_tree_that_leads_back_into_itself_is_followed() -> None:
    tree: dict[str, Any] = fresh()
    tree["back"] = tree
    assert 0 < len(paths(tree)) <= 4


GRADIENTS = [[0.5, -1.0, 2.0, 0.1, -0.3, 0.7, -0.2, 0.4], [0.4, -0.8, 1.5, -0.1, -0.2, 0.5, 0.2, 0.3]]
WAYS: dict[str, tuple[Callable[[float], float], bool]] = {
    "descent": (lambda g: -0.1 * g, True),
    "ascent": (lambda g: 0.1 * g, True),
    "equal steps against the sign": (lambda g: -0.01 if g > 0 else 0.01, True),
    "nothing": (lambda _: 0.0, False),
    "equal steps whatever the sign": (lambda _: 0.01, False),
}


@pytest.mark.parametrize(("way", "shown"), WAYS.values(), ids=WAYS)
def test_moves_along_gradients_are_told_from_others(way: Callable[[float], float], shown: bool) -> None:
    moved, values = Moved(), [0.1 * k for k in range(8)]
    found = moved.is_shown(values)
    for gradient in map(mx.array, GRADIENTS):
        moved.slope = lambda gradient=gradient: gradient  # type: ignore[misc]
        moved.read()
        values = [value + way(slope) for value, slope in zip(values, gradient.tolist(), strict=True)]
        found |= moved.is_shown(values)
    assert found is shown


def test_fresh_data_do_not_move_along_their_gradients() -> None:
    mx.random.seed(0)
    moved = Moved()
    for _ in range(40):
        batch = mx.random.normal((16,))
        assert not moved.is_shown(batch.tolist())
        moved.slope = lambda batch=batch: 2 * batch  # type: ignore[misc]
        moved.read()


def test_parameters_of_another_form_are_followed_on() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    followed = Moves().of(model, None)
    for k in range(8):
        tree = {"": model.trainable_parameters()}
        followed.begins(tree, 0)
        followed.ends(tree, model)
        model.layers[1].weight = model.layers[1].weight - 1
        if k == 3:
            model.layers[0].freeze()
    followed.begins({"": {}}, 0)  # a call that fails ends here
    followed.finish(0)
    assert followed.updates == 8
