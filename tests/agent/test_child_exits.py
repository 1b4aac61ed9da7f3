"""What the agent tells of the program's children is what the supervisor reads."""

import json
import multiprocessing
import os
import subprocess
from typing import Any

import pytest

from mlxprobe.agent.lifecycle.child_exits import HOLDERS, Children
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.processes import ChildEnded
from mlxprobe.protocol.facts.processes import Children as ChildrenStarted
from mlxprobe.supervisor.event_log import EventLog


class Wire:
    """A channel that keeps the facts that are sent."""

    def __init__(self) -> None:
        self.lines = b""

    def tell(self, fact: Fact, place: dict[str, Any], *, event: str = "fact") -> None:
        values = {"type": type(fact).__name__, "fields": fact.as_given(), "step": 0, "count": 1, **place}
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
    *ended, last = (one.fact for one in log.sightings)
    assert {one.status for one in ended if isinstance(one, ChildEnded)} == {-9, 3}
    assert last == ChildrenStarted(children=3)


def leave(code: int) -> None:
    os._exit(code)


@pytest.mark.slow
@pytest.mark.parametrize(("code", "told"), [(13, [13]), (0, [])])
def test_a_worker_that_nobody_asks_for_is_told_once(wire: Wire, code: int, told: list[int]) -> None:
    children = Children(wire)  # type: ignore[arg-type]
    worker = multiprocessing.get_context("spawn").Process(target=leave, args=(code,))
    worker.start()
    os.waitid(os.P_PID, worker.pid or 0, os.WEXITED | os.WNOWAIT)
    children.look()
    children.look()
    log = EventLog(100.0)
    assert not log.feed(wire.lines), "no progress of the program"
    known = [one.fact for one in log.sightings]
    assert known == [ChildEnded(pid=worker.pid or 0, status=one, worker=True, name=worker.name) for one in told]
    worker.join()
    assert worker.exitcode == code, "its parent has its status still"
    assert wire.lines.count(b"ChildEnded") == len(told)
