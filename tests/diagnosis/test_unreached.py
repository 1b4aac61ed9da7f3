"""What does not reach the loss is told with advice that fits it: labels, or what weights, masks or ends."""

from __future__ import annotations

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
    (one,) = [one for one in diagnose(seen) if one.code == "MP301" and one.checked]
    assert right in advice(one)
