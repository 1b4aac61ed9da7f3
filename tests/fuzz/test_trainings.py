"""Layers, optimizers and short trainings, with MLX itself."""

from dataclasses import replace
from typing import Any

import mlx.core as mx
import pytest

from mlxprobe.fuzz.case import Step
from mlxprobe.fuzz.inside.modules import TRAININGS, called
from mlxprobe.fuzz.plans.plans import Plan, words
from mlxprobe.fuzz.plans.source import keywords, source

X = mx.array([[0.5, -1.0, 0.25], [1.0, 0.75, -0.5], [-0.25, 0.5, 1.5], [0.1, 0.2, -0.3]])
Y = mx.array([1.0, -1.0, 0.5, 0.0])
HOW: dict[str, Any] = {
    "optimizer": "Adam",
    "named": {"learning_rate": [0.03], "eps": 0.1},
    "layers": ["linear", "norm", "tanh"],
    "clips": True,
}


def test_a_training_learns_and_is_the_same_twice() -> None:
    losses = TRAININGS["plain"](X, Y, **HOW).tolist()
    assert losses[-1] < losses[0]
    assert TRAININGS["plain"](X, Y, **HOW).tolist() == losses


@pytest.mark.parametrize("way", ["resumed", "accumulated"])
def test_ways_that_must_not_matter_do_not(way: str) -> None:
    assert mx.abs(TRAININGS[way](X, Y, **HOW)).max().item() < 1e-5


def test_a_checkpoint_that_loses_numbers_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = mx.save_safetensors

    def lossy(file: str, arrays: dict[str, mx.array]) -> None:
        saved(file, {name: mx.zeros_like(one) for name, one in arrays.items()})

    monkeypatch.setattr(mx, "save_safetensors", lossy)
    assert mx.abs(TRAININGS["resumed"](X, Y, **HOW)).max().item() > 1e-3


def test_a_program_learns_the_same_in_another_dress() -> None:
    plan, look = Plan(layers=("linear", "dropout"), optimizer="Adam", clips=True), {"style": "class", "reads": "sum"}
    step = Step(function="train.program", arguments=(), keywords={"plan": words(plan), "dress": look})
    texts = keywords(step)
    assert "class Trainer" in texts["other"] and "class Trainer" not in texts["source"]
    assert TRAININGS["program"](**texts).item() == 0.0
    faster = source(replace(plan, optimizer="SGD"))
    assert TRAININGS["program"](source=texts["source"], other=faster).item() > 1e-4


def test_a_layer_is_a_function_of_its_input_and_of_a_factor_of_its_parameters() -> None:
    linear = called("nn.Linear")
    one, two = (linear(X, mx.array(scale), made=[3, 2]) for scale in (1.0, 2.0))
    assert mx.allclose(2 * one, two).item()
