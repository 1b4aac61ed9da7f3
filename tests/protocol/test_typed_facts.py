"""Every fact goes through the agent's pipe and is the same at the other end, or is cut; none costs more than itself."""

from __future__ import annotations

import importlib
import inspect
import json
import math
import os
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import LINE_BYTES
from mlxprobe.protocol import facts
from mlxprobe.protocol.fact import FACTS, KINDS, Fact, MalformedFactError, decoded
from mlxprobe.protocol.facts.processes import ChildEnded, OnMetal
from mlxprobe.supervisor.event_log import EventLog

FAMILIES = [importlib.import_module(f"{facts.__name__}.{one.name}") for one in pkgutil.iter_modules(facts.__path__)]
DECLARED = [one for family in FAMILIES for one in vars(family).values()
            if inspect.isclass(one) and issubclass(one, Fact) and one.__module__ == family.__name__]  # fmt: skip
NAMES = [one.__name__ for one in DECLARED]
TAG = 4321
PLACE = {"file": "/home/train.py", "line": 3, "source": "", "caller": None}
PLAIN = {
    "str": "a word", "bool": True, "int": 3, "float": 0.1, "tuple[str, ...]": ("a", "b"), "tuple[int, ...]": (1, -2),
    "tuple[float, ...]": (0.5, 1e-30, -2.0),
}  # fmt: skip
TEXTS = ("x" * 1_000_000, "\udc80" * 9_000, '\0\n"\\' * 9_000, "\u5b66\U0001f642" * 9_000)
NUMBERS = (math.nan, math.inf, -math.inf, -1.2345678901234567e-300, 1e300)
HOSTILE = {
    "str": TEXTS, "bool": (True,), "int": (2**63, -(2**200)), "float": NUMBERS,
    "tuple[str, ...]": (("x" * 300, *TEXTS[1:]) * 40,),
    "tuple[int, ...]": ((2**63, -(2**200)) * 5_000,), "tuple[float, ...]": (NUMBERS * 2_000,),
}  # fmt: skip
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(st.characters(exclude_categories=["Cs"]), max_size=9), "bool": st.booleans(), "int": st.integers(),
    "float": st.floats(),
}  # fmt: skip
VALUES |= {f"tuple[{kind}, ...]": st.lists(one, max_size=4).map(tuple) for kind, one in [*VALUES.items()]}
VALUES |= {f"{kind} | None": st.none() | one for kind, one in [*VALUES.items()]}


class Wire:
    """A channel of a process, and the supervisor's log at its other end."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.channel = Channel(self.writing, tag=TAG)
        self.log = EventLog(0.0)

    def through(self, fact: Fact, **place: Any) -> Fact:
        """Tell a fact and return what has arrived."""
        assert self.channel.tell(fact, PLACE | place, step=7, count=2)
        line = os.read(self.reading, 1 << 20)
        assert len(line) <= LINE_BYTES and json.loads(line)["p"] == TAG
        assert self.log.feed(line) and not (self.log.garbled or self.log.lost), line
        one = self.log.sightings.pop()
        assert (one.step, one.line, one.count) == (7, 3, 2)
        return one.fact

    def feed(self, **told: Any) -> None:
        """Have a fact arrive as somebody has written it."""
        event = {"e": "fact", "t": 1.0, "step": 0, "count": 1, **PLACE, **told}
        self.log.feed(json.dumps(event).encode() + b"\n")


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    os.close(made.reading)
    os.close(made.writing)


def of(kind: type[Fact], values: dict[str, Any], number: int = 0) -> Fact:
    """Make a fact of a type with the values of its fields' types; of several of a type one after the other."""
    chosen: dict[str, Any] = {}
    for place, (name, of_field) in enumerate(kind.fields.items(), number):
        some = values[of_field.removesuffix(" | None")]
        chosen[name] = some[place % len(some)] if values is HOSTILE else some
    return kind(**chosen)


def single(fact: Fact) -> dict[str, Any]:
    """Return what a fact holds beside texts and lists."""
    return {name: value for name, value in fact.as_dict().items() if not isinstance(value, (str, tuple))}


def test_no_two_facts_have_one_name() -> None:
    assert sorted(FACTS) == sorted(NAMES)
    assert len(NAMES) > 150


@pytest.mark.parametrize("kind", DECLARED, ids=NAMES)
def test_a_fact_is_declared_as_the_pipe_has_it(kind: type[Fact]) -> None:
    assert set(kind.fields.values()) <= KINDS
    assert kind.__doc__ and kind.__doc__.endswith(".")
    read = decoded(kind.__name__, of(kind, PLAIN).as_dict())
    defaults = {name: getattr(kind, name) for name in kind.fields if hasattr(kind, name)}
    needed = {name: value for name, value in read.as_dict().items() if name not in defaults}
    assert decoded(kind.__name__, needed).as_dict() == needed | defaults
    assert decoded(kind.__name__, defaults | needed) == decoded(kind.__name__, needed)


@pytest.mark.parametrize("kind", DECLARED, ids=NAMES)
def test_a_fact_arrives_as_it_was_told(kind: type[Fact], wire: Wire) -> None:
    fact = of(kind, PLAIN)
    assert wire.through(fact) == fact
    empty = kind(**{name: None for name, one in kind.fields.items() if one.endswith(" | None")}
                 | {name: PLAIN[one] for name, one in kind.fields.items() if not one.endswith(" | None")})  # fmt: skip
    assert wire.through(empty) == empty


@pytest.mark.parametrize("kind", DECLARED, ids=NAMES)
def test_whatever_it_holds_it_arrives_as_what_it_is(kind: type[Fact], wire: Wire) -> None:
    for number in range(4):
        fact = of(kind, HOSTILE, number)
        odd = {"file": TEXTS[number % 4], "source": TEXTS[number % 3], "caller": {"file": TEXTS[0], "line": 2}}
        for place in ({}, odd):
            arrived = wire.through(fact, **place)
            assert type(arrived) is kind
            short = {
                name for name, one in kind.fields.items() if one.removesuffix(" | None") in ("bool", "int", "float")
            }
            whole = {name: repr(value) for name, value in fact.as_dict().items() if name in short}
            assert {name: repr(value) for name, value in arrived.as_dict().items() if name in short} == whole


@pytest.mark.parametrize("kind", DECLARED, ids=NAMES)
def test_a_long_way_to_its_file_costs_no_field(kind: type[Fact], wire: Wire) -> None:
    fact = of(kind, PLAIN)
    for length in range(3_400, LINE_BYTES, 40):
        assert repr(single(wire.through(fact, file="f" * length))) == repr(single(fact))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_values_that_fit_arrive(data: st.DataObject, wire: Wire) -> None:
    kind = data.draw(st.sampled_from(DECLARED))
    fact = kind(**{name: data.draw(VALUES[one]) for name, one in kind.fields.items()})
    assert wire.through(fact) == fact


NO_FACTS = [
    ("of a type that nobody knows", {"type": "NoSuchFact", "fields": {}}, "fact NoSuchFact"),
    ("with a text for a number", {"type": "ChildEnded", "fields": {"pid": "3", "status": 0}}, "fact ChildEnded"),
    ("with a broken number", {"type": "ChildEnded", "fields": {"pid": 3.0, "status": 0}}, "fact ChildEnded"),
    ("with a truth for a number", {"type": "ChildEnded", "fields": {"pid": True, "status": 0}}, "fact ChildEnded"),
    ("without a field", {"type": "ChildEnded", "fields": {"pid": 3}}, "fact ChildEnded"),
    ("with nothing in a field", {"type": "ChildEnded", "fields": {"pid": 3, "status": None}}, "fact ChildEnded"),
    ("with a field too many", {"type": "OnMetal", "fields": {"pid": 3}}, "fact OnMetal"),
    ("with a field that is a method", {"type": "OnMetal", "fields": {"as_dict": 3}}, "fact OnMetal"),
    ("with a list for fields", {"type": "OnMetal", "fields": [3]}, "fact OnMetal"),
    ("with a number beyond all", {"type": "WeightsBack", "fields": {"way": 10**400, "updates": 3}}, "fact WeightsBack"),
    ("with a word for a number", {"type": "WeightsBack", "fields": {"way": "much", "updates": 3}}, "fact WeightsBack"),
    ("with a text for a list", {"type": "FrozenChanged", "fields": {"paths": "abc"}}, "fact FrozenChanged"),
    ("with a list in a list", {"type": "FrozenChanged", "fields": {"paths": [["a"]]}}, "fact FrozenChanged"),
    ("with an object for a text", {"type": "EventLost", "fields": {"event": {}}}, "fact EventLost"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "lost"), [row[1:] for row in NO_FACTS], ids=[row[0] for row in NO_FACTS])
def test_what_is_no_fact_is_lost_by_its_name_and_costs_nothing_else(
    told: dict[str, Any], lost: str, wire: Wire
) -> None:
    wire.feed(**told)
    wire.feed(**told)
    assert (dict(wire.log.lost), wire.log.garbled, wire.log.sightings) == ({lost: 2}, 0, [])
    wire.feed(type="ChildEnded", fields={"pid": 3, "status": -9})
    assert [one.fact for one in wire.log.sightings] == [ChildEnded(pid=3, status=-9)]


def test_a_fact_cannot_be_changed_nor_made_of_other_fields() -> None:
    one = ChildEnded(pid=3, status=0)
    with pytest.raises(AttributeError):
        one.pid = 4  # type: ignore[misc]
    for fields in ({"pid": 3}, {"pid": 3, "status": 0, "signal": 9}):
        with pytest.raises(TypeError, match="ChildEnded has the fields pid, status, worker, name"):
            ChildEnded(**fields)  # type: ignore[arg-type]
    with pytest.raises(MalformedFactError, match="no fact is called 'Child'"):
        decoded("Child", {})
    assert (one, hash(one)) == (ChildEnded(status=0, pid=3, name=""), hash(ChildEnded(pid=3, status=0, worker=False)))
    assert one != OnMetal() and one != ChildEnded(pid=4, status=0)
