"""Every event arrives at the supervisor with its process, however long and strange its texts are."""

from __future__ import annotations

import importlib
import math
import os
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

from mlxprobe.agent.hooks.collective_encoding import AT_ONCE, Kind, Row, Words
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.steps import MOST, StepLog
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import LINE_BYTES
from mlxprobe.protocol import facts
from mlxprobe.protocol.fact import FACTS, Fact
from mlxprobe.protocol.facts.gradients import GradientFailed
from mlxprobe.supervisor.event_log import EventLog
from mlxprobe.supervisor.processes import Processes

PID = 4321
LONG = "x" * 1_000_000


class Wire:
    """A channel with a tag, and the supervisor's end of it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.channel = Channel(self.writing, tag=PID)
        self.processes = Processes(0.0, untagged=False)
        self.channel.send("process", parent=1, pid=PID, command=["python"], rank=-1, size=0)

    def read(self) -> EventLog:
        lines = os.read(self.reading, 1 << 20)
        assert all(len(one) < LINE_BYTES for one in lines.split(b"\n"))
        self.processes.feed(lines)
        assert (list(self.processes.logs), self.processes.garbled) == ([PID], 0)
        return self.processes.logs[PID]


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    os.close(made.reading)
    os.close(made.writing)


def nested(levels: int) -> Any:
    made: Any = "the end"
    for _ in range(levels):
        made = {"inner": [made]}
    return made


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
TEXTS = {
    "long": LONG,
    "long, of three bytes each": "学" * 1_000_000,
    "surrogates": "\udc80" * 5000,
    "escaped": "\x00\n\u2028\x85" * 5000,
    "short and strange": "\x00\udc80\n",
}
VALUES = {
    **TEXTS,
    "many short texts": ["1"] * 5000,
    "many long texts": [LONG] * 30,
    "texts of a dict": {f"{k}": LONG for k in range(30)},
    "names of a dict": {LONG + str(k): k for k in range(30)},
    "deep": nested(50),
    "too deep for JSON": nested(20_000),
    "a circle": CIRCLE,
    "no number": math.nan,
    "no numbers": [math.inf, -math.inf, math.nan],
    "nothing": None,
    "an object": object(),
    "a large integer": 10**400,
    "odd names": {(1, 2): 1, None: 2, 3.5: 3},
    "bytes": b"\xff",
}
for family in pkgutil.iter_modules(facts.__path__, f"{facts.__name__}."):
    importlib.import_module(family.name)
WORST = {  # by the type of a field
    "bool": True,
    "int": 10**18,
    "float": math.nan,
    "str": TEXTS["escaped"],
    "tuple[str, ...]": (TEXTS["escaped"],) * 30,
    "tuple[int, ...]": (10**9,) * 5000,
    "tuple[float, ...]": (-math.inf,) * 5000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_fact_keeps_its_type_step_place_and_count(text: str, wire: Wire) -> None:
    place: dict[str, Any] = {"file": "train.py", "line": 9, "source": text, "caller": None}
    wire.channel.tell(GradientFailed(at=text, type="ValueError", message=text), place, step=7, count=3)
    log = wire.read()
    (told,) = log.sightings
    assert isinstance(told.fact, GradientFailed) and told.fact.type == "ValueError"
    assert (told.step, told.file, told.line, told.count) == (7, "train.py", 9, 3)
    assert not log.lost and log.introduced


@pytest.mark.parametrize("kind", FACTS.values(), ids=FACTS)
def test_every_fact_arrives_with_all_its_fields(kind: type[Fact], wire: Wire) -> None:
    fact = kind(**{name: WORST[of.removesuffix(" | None")] for name, of in kind.fields.items()})
    wire.channel.tell(fact, call_site.told(("train.py", 9)), step=7, count=2)
    log = wire.read()
    (told,) = log.sightings
    assert (type(told.fact), told.step, told.file, told.line, told.count) == (kind, 7, "train.py", 9, 2)
    assert not log.lost and told.fact.as_given().keys() == kind.fields.keys()


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_fact_with_a_field_that_it_has_not_is_counted_by_its_name(value: Any, wire: Wire) -> None:
    place = call_site.told(("train.py", 9))
    wire.channel.send("fact", type="FirstGradient", fields={"value": value}, step=7, count=2, **place)
    log = wire.read()
    assert log.lost == {"fact FirstGradient": 1} and log.introduced and not log.sightings


PLACE = {"file": "train.py", "line": 3, "source": "", "caller": None}
ROW = ["world", 1, "all_sum", [64], "float32", -1, 7, 0, 2_000_000, 1_500_000, None, 1, "", 1, 0, 0, 0]
FAILED = {"detector": "TEXT", "error": "TEXT", "facts": ["TEXT"] * 99}
EVENTS: dict[str, dict[str, Any]] = {
    "process": {"parent": 1, "pid": PID, "command": ["TEXT", "TEXT"], "rank": -1, "size": 0},
    "rank": {"rank": 0, "size": 2},
    "left": {"code": 3},
    "site": {"i": 0, **PLACE, "source": "TEXT", "way": "TEXT"},
    "kind": {"i": 0, "group": "TEXT", "operation": "TEXT", "shape": [1], "dtype": "TEXT", "peer": -1, "site": 0},
    "collectives": {"rows": [ROW], "evaluating": None, "counts": {"TEXT": 1}},
    "ready": {"pid": PID},
    "thread": {"id": 5},
    "carriers": {"ids": [5]},
    "root": {"folder": "TEXT", "whose": "own"},
    "mlx": {"version": "TEXT", "device": "TEXT", "python": "TEXT", "executable": "TEXT", "holds": 0},
    "begin": {},
    "body": {},
    "enough": {"n": 1},
    "tick": {"n": 1},
    "steps": {"rows": [[1, 5, 1, 7]], "losses": [[1, 0.5, 0]]},
    "memory": {"active": 1, "cache": 1, "peak": 1},
    "held": {"bytes": 1, "cpu_s": 0.5},
    "fact": {"type": "DetectorFailed", "step": 1, **PLACE, "count": 1, "fields": FAILED},
    "seen": {"type": "DetectorFailed", "step": 1, **PLACE, "count": 1, "fields": FAILED},
    "sheet": {"values": {"model": {"kinds": {"TEXT": {"modules": 1}}, "activations": ["TEXT"] * 99}}},
    "raised": {"type": "TEXT", "message": "TEXT", **PLACE, "file": "TEXT", "traceback": "TEXT"},
    "measuring": {},
    "result": {"path": "TEXT", "values": [1.0]},
    "score": {"value": "0.5"},
    "end": {"code": 0},
}


def filled(value: Any, text: str) -> Any:
    """Put a text in the place of each `TEXT`."""
    if isinstance(value, dict):
        return {filled(name, text): filled(one, text) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, text) for one in value]
    return text if value == "TEXT" else value


def test_every_event_is_here() -> None:
    known = {name.removeprefix("_on_") for name in vars(EventLog) if name.startswith("_on_")}
    assert known - {"losses", "dropped"} == {*EVENTS}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_arrives(event: str, text: str, wire: Wire) -> None:
    text = text.replace("\x00", "") if event == "root" else text  # no folder's name has one
    assert wire.channel.send(event, **filled(EVENTS[event], text))
    log = wire.read()
    assert not log.lost and log.process.pid == PID


def test_an_event_that_cannot_be_cut_is_counted_by_its_name(wire: Wire) -> None:
    for _ in range(2):
        wire.channel.send("fact", type=LONG, rows=[["x" * 5000]])
        log = wire.read()
    (what,) = log.lost
    assert what.startswith("fact xxx") and len(what) < 100 and log.lost[what] == 2
    assert log.process.pid == PID


def test_as_many_steps_as_a_line_takes_fit(wire: Wire) -> None:
    steps = StepLog(wire.channel)
    for k in range(3 * MOST):
        steps.read(10**9 + k, -1.2345678901234567e-300, 100)
        steps._rows.append((10**9 + k, 1e5 / 3, 10_000, 10**12, 10**7, -1.2345678901234567e-300))
    steps.flush(patient=True)
    log = wire.read()
    assert (len(log.steps), len(log.losses)) == (3 * MOST, 3 * MOST)


def test_as_many_collectives_as_a_line_takes_fit(wire: Wire) -> None:
    words, rows = Words(wire.channel), []
    for k in range(AT_ONCE):
        kind = Kind(("sum_scatter", "world.split.1", 100), (10_000,) * 8, "mlx.core.bfloat16", [[0], [0]])
        kind.way = (("train.py", 3),)
        row = Row(kind, 10**7 + k, 10**7, lambda: None)
        row.leaf, row.begun, row.done, row.built = "model.layers.block.attention." * 20 + str(k), 1.0, 1.0, 1.0
        rows.append(words.row(row, 1e6))
    wire.channel.send("collectives", rows=rows, evaluating=10**9, counts={"world": 10**7})
    log = wire.read()
    assert len(log.collectives) == AT_ONCE and not log.lost
    assert len({one.leaf for one in log.collectives}) == AT_ONCE
