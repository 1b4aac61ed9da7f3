"""Parameters that change from one gradient call to the next, of trees and of modules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from watching import GUARD_S

from mlxprobe.agent.inspectors.gradients import by_hand
from mlxprobe.agent.recording.parameter_moves import Followed, Moves, paths
from mlxprobe.agent.sampling.sketches import sketch
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe


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
NEVER = 99
WAYS: dict[str, tuple[Callable[[float, float], float], int]] = {  # and the elements from which it is shown
    "descent": (lambda g, _: -0.1 * g, 1),
    "ascent": (lambda g, _: 0.1 * g, 1),
    "descent with weight decay": (lambda g, value: -0.1 * g - 0.01 * value, 1),
    "equal steps against the sign": (lambda g, _: -0.01 if g > 0 else 0.01, 8),
    "nothing": (lambda *_: 0.0, NEVER),
    "equal steps whatever the sign": (lambda *_: 0.01, NEVER),
    "decay alone": (lambda _, value: -0.1 * value, NEVER),
}


def moved(moves: by_hand.Moves, number: int, parameter: list[float], gradient: list[float]) -> bool:
    each = sketch([mx.array(parameter)]), sketch([mx.array(gradient)])
    found = moves.add(by_hand.Row(number, None, *each))
    return found is not None and moves.is_shown(*found)


@pytest.mark.parametrize(("way", "least"), WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("many", [1, 2, 3, 8])
def test_moves_along_gradients_are_told_from_others(
    way: Callable[[float, float], float], least: int, many: int
) -> None:
    moves, values, found = by_hand.Moves(), [0.1 * k + 0.1 for k in range(many)], False
    for number in range(24):
        gradient = [slope * (1 + 0.1 * number) for slope in GRADIENTS[number % 2][:many]]
        found |= moved(moves, number, values, gradient)
        values = [value + way(slope, value) for value, slope in zip(values, gradient, strict=True)]
    assert found is (many >= least)


def test_fresh_data_do_not_move_along_their_gradients() -> None:
    mx.random.seed(0)
    moves = by_hand.Moves()
    for number in range(40):
        batch = mx.random.normal((16,)).tolist()
        assert not moved(moves, number, batch, [2 * value for value in batch])


def test_data_that_fade_do_not_move_along_their_gradients() -> None:
    moves = by_hand.Moves()
    for number in range(40):
        batch = [0.9**number * value for value in GRADIENTS[0]]
        assert not moved(moves, number, batch, GRADIENTS[1])


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


DESCENT = """
import mlx.core as mx
mx.random.seed(0)
x = mx.random.normal((64, 5))
y = x @ mx.arange(5.0)
gradient = mx.value_and_grad(lambda w: ((x @ w - y) ** 2).mean())
w = mx.zeros((5,))
for _ in range(30):
    loss, slope = gradient(w)
    w = w - 0.05 * slope
    mx.eval({evaluated})
"""


@pytest.mark.slow
@pytest.mark.parametrize("evaluated", ["w", "loss", ""])
def test_updates_by_hand_are_counted_whatever_is_evaluated(evaluated: str, tmp_path: Path) -> None:
    file = tmp_path / "descent.py"
    file.write_text(DESCENT.format(evaluated=evaluated))
    program = Program(name="descent", argv=("script", str(file)), python=sys.executable)
    limits = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
    sheet = observe(program, limits, jit_key="tests").sheet
    assert (sheet.by_hand, sheet.unfollowed) == (30, 0)
