"""What a function computes with of what is not its own is read off its source, and compared with what it was."""

import ast
import random
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxprobe.agent.compiled.captured_reads import Outside
from mlxprobe.agent.compiled.free_variable_reads import Uses
from mlxprobe.agent.introspection.free_variables import Function
from mlxprobe.agent.introspection.side_effects import Effects, followed
from mlxprobe.protocol.facts.compilation import NumberBakedIn

settings = SimpleNamespace(rate=0.1, table=np.zeros(3), options={"scale": 2.0}, count=0)


def uses(source: str) -> Uses:
    node = ast.parse(source).body[0]
    assert isinstance(node, Function)
    return Uses(node)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("return x * s.rate", ["s.rate"]),
        ("return x * s['rate'] + s.parts[-1].rate", ["s['rate']", "s.parts[-1].rate"]),
        ("rate = s.rate; return x * rate", ["s.rate"]),
        ("o = s.options; return x * o.rate", ["s.options.rate"]),
        ("print(s.count); log.info(s.count); return x", []),
        ("name = f'{s.count}'; return x", []),
        ("passed = now - s.began; print(passed); return x", ["now"]),
        ("assert s.count > 1; return x", []),
        ("if s.count > 1: print(x)\n return x", []),
        ("if s.count > 1: x = x * 2\n return x", ["s.count"]),
        ("s.count += 1; return x", []),
        ("s.count = s.count + 1; return x", []),
        ("rate = 2.0; return x * rate", []),
        ("return (lambda a: a * s.rate)(x)", []),
    ],
)
def test_what_is_computed_with_is_read_off_a_source(body: str, found: list[str]) -> None:
    every = [str(one) for one in uses(f"def f(x):\n {body}").found]
    assert [one for one in every if one not in ("x", "now")] == [one for one in found if one != "now"]


def test_what_a_function_sets_and_what_it_counts_on_are_told_apart() -> None:
    seen = uses("def f(x):\n s.mask = x; s.count += 1; s.rate = s.rate * 2; s.a, s.b = 1, 2; return x")
    assert (seen.stores, seen.counts) == ({"mask", "a", "b"}, {"count", "rate"})


def run(function: Any, change: Any, calls: int = 1) -> list[NumberBakedIn]:
    outside, effects = Outside(function), Effects()
    effects.begins = outside.visit
    with followed(effects):
        outside.begins()
        function(mx.ones((2,)))
    outside.traced(1)
    assert list(outside.changed(1, calls)) == []
    change()
    return [fact for _, fact in outside.changed(1, calls)]


def scaled(x: Any) -> Any:
    return x * settings.rate + mx.array(settings.table).sum() * settings.options["scale"]


def test_numbers_that_have_changed_are_told_once() -> None:
    settings.rate = 0.1
    found = run(scaled, lambda: setattr(settings, "rate", 0.2))
    assert found == [NumberBakedIn(what="settings.rate", before=0.1, now=0.2)]
    assert run(scaled, lambda: settings.options.update(scale=1.0))[0].what == "settings.options['scale']"
    assert run(scaled, lambda: settings.table.fill(1)) == [NumberBakedIn(what="settings.table")]
    assert run(scaled, lambda: setattr(settings, "count", 5)) == []


def test_a_cell_of_a_function_is_followed() -> None:
    rate = 0.5

    def inner(x: Any) -> Any:
        return x * rate

    def outer(x: Any) -> Any:
        return inner(x)

    def change() -> None:
        nonlocal rate
        rate = 0.25

    assert run(outer, change) == [NumberBakedIn(what="rate", before=0.5, now=0.25)]


def test_what_the_trace_counts_is_told_after_calls_that_have_not() -> None:
    def counting(x: Any) -> Any:
        settings.count += 1
        return x * settings.count

    def nothing() -> None:
        return None

    assert run(counting, nothing) == []
    outside, effects = Outside(counting), Effects()
    effects.begins = outside.visit
    with followed(effects):
        outside.begins()
        counting(mx.ones((2,)))
    outside.traced(1)
    now = float(settings.count)
    found = [fact for _, fact in outside.changed(1, 8)]
    assert found == [NumberBakedIn(what="settings.count", calls=8, before=now, now=now)]


@pytest.mark.parametrize("source", [random.Random(1), np.random.default_rng(1), np.random.RandomState(1)])
def test_a_generator_that_was_drawn_from_is_known(source: Any) -> None:
    class Layer:
        def __init__(self) -> None:
            self.weight: Any = None

        def draws(self, x: Any) -> Any:
            return x * (source.random() if hasattr(source, "random") else 1.0)

        def keeps(self, x: Any) -> Any:
            self.weight = source.random()
            return x

    for function, lines in ((Layer().draws, 1), (Layer().keeps, 0)):
        outside, effects = Outside(function), Effects()
        effects.begins = outside.visit
        with followed(effects):
            outside.begins()
            function(mx.ones((2,)))
        outside.traced(1)
        assert len(outside.drawn) == lines
