"""What a compiled function keeps of the weights is compared with them, and what a trace left behind is no value."""

from types import SimpleNamespace
from typing import Any

import mlx.core as mx

from mlxprobe.agent.compiled.baked_constants import Constants
from mlxprobe.agent.compiled.captured_reads import Outside
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.compilation import ArraysBakedIn


def compared(kept: Any, now: Any) -> list[Fact]:
    told: list[Fact] = []
    recorder = SimpleNamespace(fact=lambda fact, _: told.append(fact))
    inspection: Any = SimpleNamespace(recorder=recorder, pending=lambda _: 0)
    constants = Constants(inspection, ("train.py", 1), [None, None], Outside(None))
    constants._held = {"weight": (lambda: now, kept, ("train.py", 1))}
    constants._compare()
    return told


def test_weights_that_have_changed_since_the_trace_are_told() -> None:
    assert compared(mx.ones((3,)), mx.zeros((3,))) == [ArraysBakedIn(paths=("weight",), of=1)]
    assert compared(mx.ones((3,)), mx.ones((3,))) == []


def test_a_placeholder_that_a_trace_left_behind_fails_nobody() -> None:
    left: list[mx.array] = []

    def step(x: mx.array) -> mx.array:
        left.append(x)
        return x + 1

    mx.eval(mx.compile(step)(mx.ones((3,))))
    assert compared(left[0], mx.ones((3,))) == []
