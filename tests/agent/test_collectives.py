"""What the recorder of collectives tells, on the program's threads and on its own."""

import time
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from mlxprobe.agent.collectives import Collectives
from mlxprobe.agent.nesting import Nesting
from mlxprobe.agent.recorder import Recorder


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
    recorder = SimpleNamespace(channel=channel, under_way=1, deaf=False)
    one = Collectives(cast(Recorder, recorder), Nesting())
    one._size = 2
    one._note("all_sum", ("x",), (np.ones(3),), {}, np.ones(3))
    one.begins(time.monotonic(), ())
    one.tell()
    one.tell()
    assert done == [False, True]
