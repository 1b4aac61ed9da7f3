"""Advice fits what was found, where one code has several causes."""

from __future__ import annotations

import making
import pytest

from mlxprobe.diagnosis import diagnose
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.files import OptimizerStateNotSaved, OptimizerStateUnread
from mlxprobe.protocol.facts.gradients import ZeroGradient
from mlxprobe.protocol.facts.losses import ArgumentUnused
from mlxprobe.reports.diagnosis import advice
from mlxprobe.schema.observation import Sighting

Names = tuple[str, ...]
ALL: list[tuple[Names, Names, Names, str]] = [
    (("labels",), (), ("model.weight", "x"), "cross_entropy(logits, labels"),
    (("batch.done",), (), ("x", "y"), "(1 - done)"),
    (("done", "labels"), (), ("x", "y"), "cross_entropy(logits, labels"),
    (("inputs",), (), ("x",), "cross_entropy(logits, labels"),
    (("lengths",), ("lengths",), ("x", "y"), "last position"),
    (("labels",), ("labels",), ("x", "y"), "cross_entropy(logits, labels"),
]


@pytest.mark.parametrize(("names", "read", "reached", "right"), ALL)
def test_the_advice_fits_what_takes_no_part(names: Names, read: Names, reached: Names, right: str) -> None:
    fact = ArgumentUnused(names=names, read=read, reached=reached, itself=False, greedy=())
    seen = making.seen(sightings=(Sighting(fact=fact, file="train.py", line=3),))
    (one,) = [one for one in diagnose(seen) if one.code == "MP301"]
    assert right in advice(one)


SOME, BIASES = ("pos.weight", "pos.scale"), ("a.bias", "b.bias")
CAUSES: list[tuple[str, Fact, str]] = [
    ("some that never were anything else", ZeroGradient(count=2, of=6, paths=SOME), "no `stop_gradient`, argmax"),
    ("some that died", ZeroGradient(count=2, of=6, paths=SOME, alive=9), "a smaller learning rate"),
    ("all", ZeroGradient(count=6, of=6, paths=SOME), "`nn.value_and_grad(model, loss_fn)`"),
    ("biases", ZeroGradient(count=2, of=6, paths=BIASES), "nothing, where the loss is of differences of outputs"),
    ("weights alone", OptimizerStateNotSaved(weights="w.safetensors", updates=90), "where the same training"),
    ("state unread", OptimizerStateUnread(weights="w.safetensors", unread=("o",)), "tree_unflatten"),
]


@pytest.mark.parametrize(("fact", "right"), [row[1:] for row in CAUSES], ids=[row[0] for row in CAUSES])
def test_the_advice_fits_the_cause(fact: Fact, right: str) -> None:
    seen = making.seen(sightings=(Sighting(fact=fact, file="train.py", line=3),))
    (one,) = [one for one in diagnose(seen) if one.code in ("MP201", "MP402")]
    assert right in advice(one)
