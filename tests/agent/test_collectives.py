"""The recorder of collectives tells of an evaluation that waits, also where nothing was built since the one before."""

from types import SimpleNamespace
from typing import Any, cast

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
