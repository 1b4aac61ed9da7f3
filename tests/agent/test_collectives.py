"""What the recorder of collectives tells, on the program's threads and on its own."""

import sys
import time
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks.collectives import MANY, Apart, Collectives
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire.constants import COLLECTIVE
from mlxprobe.agent.wire.ranks import Reductions

SURE, PASSED = (COLLECTIVE.index(name) for name in ("sure", "passed"))


def test_an_evaluation_of_what_lay_for_long_is_told_and_its_end_too() -> None:
    sent: list[Any] = []

    def send(event: str, **told: Any) -> bool:
        sent.append(told["evaluating"] is not None)
        return True

    channel = SimpleNamespace(send=send)
    one = Collectives(cast(Recorder, SimpleNamespace(channel=channel)), Nesting())
    one.tell()
    assert sent == []
    one.begins(1.0, ())
    one.tell()
    one.tell()
    assert sent == [True]
    one.returns(2.0)
    one.tell()
    one.tell()
    assert sent == [True, False]


def recording() -> tuple[Collectives, list[Any]]:
    """Return a recorder of two ranks, and what it has told: a number, and whether that has begun, is done, is sure."""
    told: list[Any] = []

    def send(event: str, **words: Any) -> bool:
        told.extend((row[1], row[9] is not None, row[10] is not None, bool(row[SURE])) for row in words.get("rows", ()))
        return True

    recorder = SimpleNamespace(channel=SimpleNamespace(send=send), under_way=1, deaf=False, lazy_steps=0)
    recorder.reductions = Reductions()
    one = Collectives(cast(Recorder, recorder), Nesting())
    one._size = 2
    return one, told


def build(one: Collectives) -> Any:
    result = np.ones(3)
    one._note("all_sum", [np.ones(3), None], result, sys._getframe())
    return result


def test_what_computes_nothing_held_no_collective() -> None:
    """A loss that was evaluated before is printed beside a norm that the other ranks never build."""
    one, told = recording()
    build(one)
    one.begins(5.0, ())
    one.returns(5.0 + 1e-6)
    one.tell()
    assert told == [(1, False, False, False)]
    one.begins(6.0, ())
    one.returns(6.1)
    one.tell()
    assert told[1:] == [(1, True, True, False)]


def test_a_result_that_was_left_by_an_evaluation_waits_once_it_is_asked_for() -> None:
    one, told = recording()
    result = build(one)
    one.begins(1.0, ())
    one.returns(1.1)
    one.tell()
    one.begins(time.monotonic(), (result,))
    one.returns(time.monotonic())
    one.tell()
    assert told == [(1, True, True, False)], "it had run"
    one.begins(time.monotonic() - 1.0, (result,))
    one.tell()
    one.returns(time.monotonic())
    one.tell()
    assert told[1:] == [(1, True, False, True), (1, True, True, True)]


def test_a_line_that_held_no_collective_holds_none_later(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter(["Subtract", "Sum AllReduce", *["Subtract"] * 20])
    monkeypatch.setattr(lazy_graph, "drawn", lambda _: next(texts))
    beside, one = Apart(), np.ones(3)
    assert not beside.is_one([one]), "no array of MLX's"
    beside.array = np.ndarray
    told = [beside.held([one], 0, counts=False) for _ in range(3)]
    assert told == [0, 1, 1]
    assert beside.held([one], 5, counts=False) == MANY, "too much to draw"
    assert [beside.held([one], 0, counts=False) for _ in range(9)] == [0] * 9
    assert len(list(texts)) == 16, "drawn four times"


PASSING = [
    ("until one may hold it", ["loss", "parameters"], ["Subtract", "Sum AllReduce"], [[True], [False]]),
    ("also by one that holds what was built since", ["parameters", "+", "metric"], ["Subtract", "Sum AllReduce"],
     [[True], [False]]),
    ("but not where that holds more", ["parameters", "+", "metric"], ["Subtract", "Sum AllReduce; Sum AllReduce"],
     [[True], [False, False]]),
    ("nor where nobody has counted", ["loss", "many steps", "parameters"], ["Subtract"], [[True], [False]]),
    ("and the last of several is the one that is held", ["+", "parameters", "metric"], ["Subtract", "Sum AllReduce"],
     [[True, True], [False]]),
]  # fmt: skip


@pytest.mark.parametrize(("course", "drawn", "right"), [row[1:] for row in PASSING], ids=[row[0] for row in PASSING])
def test_what_an_evaluation_of_all_else_did_not_hold_is_passed_over(
    course: list[str], drawn: list[str], right: list[list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = iter(drawn)
    monkeypatch.setattr(lazy_graph, "drawn", lambda _: next(texts))
    lines = iter(range(9))
    monkeypatch.setattr(call_site, "calling", lambda: ("train.py", next(lines)))
    told: list[list[bool]] = []

    def send(event: str, **words: Any) -> bool:
        told.extend([[bool(row[PASSED]) for row in words["rows"]]] if words.get("rows") else [])
        return True

    one, _ = recording()
    monkeypatch.setattr(one._recorder.channel, "send", send)
    build(one)
    for word in course:
        if word == "+":
            build(one)
        elif word == "many steps":
            one._recorder.lazy_steps = 9
        else:
            one.begins(5.0, (word, "state"))
            one.returns(5.1)
            one.tell()
    assert told == right


def test_what_the_program_does_while_it_is_told_of_is_told_next() -> None:
    """The channel lets go of the interpreter's lock: an evaluation may come back in the middle of a word on it."""
    done: list[Any] = []
    one: Collectives

    def send(event: str, **told: Any) -> bool:
        done.extend(row[10] is not None for row in told.get("rows", ()))
        if not done[1:]:
            one.returns(time.monotonic())
        return True

    channel = SimpleNamespace(send=send)
    recorder = SimpleNamespace(channel=channel, under_way=1, deaf=False, reductions=Reductions())
    one = Collectives(cast(Recorder, recorder), Nesting())
    one._size = 2
    one._note("all_sum", [np.ones(3), None], np.ones(3), sys._getframe())
    one.begins(time.monotonic(), ())
    one.tell()
    one.tell()
    assert done == [False, True]
