"""Layers, optimizers and short trainings, with MLX itself."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import msgspec
import pytest

from mlxprobe.fuzz.batch import job
from mlxprobe.fuzz.case import Case, Step
from mlxprobe.fuzz.child.array_codec import numbers_of
from mlxprobe.fuzz.child.modes import measured
from mlxprobe.fuzz.child.modules import TRAININGS, function
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.generate import case_of
from mlxprobe.fuzz.script import script
from mlxprobe.fuzz.training_programs.plan import Plan, words
from mlxprobe.fuzz.training_programs.render import keywords, source

X = mx.array([[0.5, -1.0, 0.25], [1.0, 0.75, -0.5], [-0.25, 0.5, 1.5], [0.1, 0.2, -0.3]])
Y = mx.array([1.0, -1.0, 0.5, 0.0])
WRONG = Discrepancy(case="", operation="", oracle="value", kind="numbers", message="it is wrong")
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


def printed(text: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    exec(text, {"__name__": "__main__"})
    return [float(one) for one in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", capsys.readouterr().out)]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(6))
def test_a_short_script_trains_as_its_case_does(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    case = case_of("train.plain", 0, number)
    right = numbers_of(measured({**job(case), "modes": ["value"]})["value"][0]).tolist()
    losses = printed(script(case, WRONG), capsys)
    assert losses == pytest.approx(right, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("way", "most"), [("plain", 15), ("accumulated", 15), ("compiled", 15), ("resumed", 19)])
def test_the_script_of_a_way_is_short_and_shows_both_of_its_sides(
    way: str, most: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [script(case_of(f"train.{way}", 0, number), WRONG) for number in range(4)]
    assert max(len(one.splitlines()) for one in texts) <= most
    losses = printed(texts[0], capsys)
    assert len(losses) == 6 * (1 if way == "plain" else 2)
    if way != "plain":
        assert losses[:6] == pytest.approx(losses[6:], rel=1e-4)


def test_a_program_that_raises_is_shown_by_itself_without_what_it_does_not_use() -> None:
    step = Step(function="train.program", arguments=(), keywords={"plan": {}, "dress": {"style": "class"}})
    case = Case(id="", arrays=(), steps=(step,))
    text = script(case, msgspec.structs.replace(WRONG, kind="raises"))
    assert "class Trainer" not in text and "import os" not in text and "tempfile" not in text
    assert len(text.splitlines()) <= 38  # the plainest program has so many
    exec(text, {"__name__": "__main__"})


def test_a_layer_is_a_function_of_its_input_and_of_a_factor_of_its_parameters() -> None:
    linear = function("nn.Linear")
    one, two = (linear(X, mx.array(scale), made=[3, 2]) for scale in (1.0, 2.0))
    assert mx.allclose(2 * one, two).item()
