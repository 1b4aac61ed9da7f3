"""Advice fits what was found, where one code has several causes."""

from __future__ import annotations

from typing import Any

import making
import pytest

from mlxprobe.diagnosis import diagnose
from mlxprobe.reports.diagnosis import advice
from mlxprobe.values.observation import Fact

ALL = [
    (["labels"], [], ["model.weight", "x"], "cross_entropy(logits, labels"),
    (["batch.done"], [], ["x", "y"], "(1 - done)"),
    (["done", "labels"], [], ["x", "y"], "cross_entropy(logits, labels"),
    (["inputs"], [], ["x"], "cross_entropy(logits, labels"),
    (["lengths"], ["lengths"], ["x", "y"], "last position"),
    (["labels"], ["labels"], ["x", "y"], "cross_entropy(logits, labels"),
]


@pytest.mark.parametrize(("names", "read", "reached", "right"), ALL)
def test_the_advice_fits_what_takes_no_part(names: list[str], read: list[str], reached: list[str], right: str) -> None:
    detail: dict[str, str | int | float | bool | list[str]] = {"names": names, "read": read, "reached": reached}
    seen = making.seen(facts=(Fact(name="argument unreached", file="train.py", line=3, detail=detail),))
    (one,) = [one for one in diagnose(seen) if one.code == "MP301"]
    assert right in advice(one)


ZERO = {"count": 2, "of": 6, "paths": ["pos.weight", "pos.scale"]}
DETAILS: list[tuple[str, str, dict[str, object], str]] = [
    ("some that never were anything else", "zero gradient", ZERO, "no `stop_gradient`, argmax"),
    ("some that died", "zero gradient", ZERO | {"alive": 9}, "a smaller learning rate"),
    ("all", "zero gradient", ZERO | {"count": 6}, "`nn.value_and_grad(model, loss_fn)`"),
    ("biases", "zero gradient", ZERO | {"paths": ["a.bias", "b.bias"]}, "`nn.value_and_grad(model, loss_fn)`"),
    (
        "weights alone",
        "optimizer state not saved",
        {"weights": "w.safetensors", "updates": 90},
        "where the same training",
    ),
    ("state unread", "optimizer state unread", {"weights": "w.safetensors", "unread": ["o"]}, "tree_unflatten"),
]


@pytest.mark.parametrize(("name", "detail", "right"), [row[1:] for row in DETAILS], ids=[row[0] for row in DETAILS])
def test_the_advice_fits_the_cause(name: str, detail: dict[str, Any], right: str) -> None:
    seen = making.seen(facts=(Fact(name=name, file="train.py", line=3, detail=detail),))
    (one,) = [one for one in diagnose(seen) if one.code in ("MP201", "MP402")]
    assert right in advice(one)
