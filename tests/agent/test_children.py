"""What the agent tells of the program's children is what the supervisor reads."""

import json
import os
import subprocess
from typing import Any

import pytest

from mlxprobe.agent.children import HOLDERS, Children
from mlxprobe.supervisor.events import EventLog


class Wire:
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        self.lines = b""

    def send(self, event: str, **values: Any) -> None:
        self.lines += json.dumps({"e": event, "t": 101.0, **values}).encode() + b"\n"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    for name in ("waitpid", "wait", "wait3", "wait4"):
        monkeypatch.setattr(os, name, getattr(os, name))
    for name in HOLDERS["subprocess"]:
        monkeypatch.setattr(subprocess.Popen, name, vars(subprocess.Popen)[name])
    return Wire()


def test_two_of_three_children_end_badly(wire: Wire) -> None:
    children = Children(wire)  # type: ignore[arg-type]
    for order in ("true", "kill -9 $$", "exit 3"):
        subprocess.run(["sh", "-c", order], check=False)
    children.finish()
    log = EventLog(100.0)
    log.feed(wire.lines)
    assert log.garbled == 0
    assert {fact.name for fact in log.facts} == {"child ended", "children"}
    assert {fact.detail["status"] for fact in log.facts if fact.name == "child ended"} == {-9, 3}
    assert log.facts[-1].detail == {"children": 3}
