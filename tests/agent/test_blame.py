"""The line that the author has to change is read off the source."""

import functools
import inspect
from pathlib import Path

import pytest

from mlxprobe.agent.introspection import blame


class Head:
    def __init__(self) -> None:
        self._table: list[int] | None = None
        self._table = [2, 2]


class Criterion:
    def __call__(self, outputs: float, labels: float) -> float:
        return outputs * 2


def handed(model: float, inputs: float, labels: float) -> float:
    return Criterion()(inputs, labels)


def named(model: float, inputs: float, labels: float) -> float:
    return forgetful(inputs, labels)


def forgetful(outputs: float, labels: float) -> float:
    squared = outputs**2
    return squared + 1


def used(outputs: float, labels: float) -> float:
    labels = labels + 1
    return forgetful(outputs, 0 * labels)


class Trainer:
    def __init__(self) -> None:
        self.criterion = Criterion()

    def loss(self, inputs: float, labels: float) -> float:
        return self.criterion(inputs, labels)


def line_of(function: object, text: str) -> int:
    lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
    return first + next(k for k, line in enumerate(lines) if text in line)


LOST = [
    ("in the function itself", forgetful, line_of(forgetful, "return")),
    ("in one that it is handed to by name", named, line_of(forgetful, "return")),
    ("in a part of a function", functools.partial(named, 1.0), line_of(forgetful, "return")),
    ("in an object that is called", Trainer().loss, line_of(Criterion, "return")),
    ("where it is used itself", used, line_of(used, "return")),
    ("in what cannot be followed", handed, line_of(handed, "return")),
]


@pytest.mark.parametrize(("function", "line"), [case[1:] for case in LOST], ids=[case[0] for case in LOST])
def test_an_argument_comes_to_its_end(function: object, line: int) -> None:
    assert blame.loses(function, "labels") == (__file__, line)


def test_what_has_no_source_has_no_line() -> None:
    assert blame.loses(len, "labels")[1] == 0


def test_an_attribute_is_set_where_it_is_not_set_to_nothing() -> None:
    assert blame.assignment(Head(), "_table") == (__file__, line_of(Head, "[2, 2]"))


def test_an_attribute_that_is_set_from_outside_is_found_in_the_script(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("model = build()\nmodel._scale = draw()\n")
    assert blame.assignment(Head(), "_scale", str(script)) == (str(script), 2)


@pytest.mark.parametrize(
    ("line", "dropped"),
    [
        ("_, norm = clip(grads, 1.0)", True),
        ("norm = clip(grads, 1.0)[1]", True),
        ("norm = clip(grads, 1.0)[-1].item()", True),
        ("clip(grads, 1.0)", False),
        ("clipped, _ = clip(grads, 1.0)", False),
        ("grads = clip(grads, 1.0)[0]", False),
    ],
)
def test_a_result_whose_first_part_is_thrown_away_on_purpose(line: str, dropped: bool, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"grads = None\n{line}\n")
    assert blame.drops_first((str(script), 2)) is dropped
