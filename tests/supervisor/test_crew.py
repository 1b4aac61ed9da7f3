"""How ranks have spent a silence: from what two looks have found of their threads and their time on processors."""

from __future__ import annotations

import math

import pytest

from mlxprobe.platform.interface import Thread
from mlxprobe.supervisor.crew import Crew, Spent

PASSED_S, SILENT_S = 5.0, 10.0


def spent(used_s: float, waited_s: float = 0.0, state: str = "S", switches: int = 3) -> Spent:
    return Spent(used_s, used_s + waited_s, [Thread(7, 7, state, switches, 0)])


SLEEPS = spent(1.0), spent(1.0)
SPINS = spent(1.0, state="R"), spent(6.0, state="R", switches=9)
STARVES = spent(1.0, state="R"), spent(1.5, 4.0, state="R", switches=9)
READY = spent(1.0, state="R"), spent(1.0, state="R")
WAKES = spent(1.0), spent(1.1, switches=9)
CREWS = [
    ("who sleeps could have moved all the time", [SLEEPS], 10.0, False),
    ("who had a processor all the time, too", [SPINS], 10.0, True),
    ("who wanted one, and got a tenth of it, could for a tenth", [STARVES], 1.0, True),
    ("the one that had the least counts", [SPINS, STARVES, SLEEPS], 1.0, True),
    ("who waits for a processor all the time could never, whatever its times say", [READY], 0.0, True),
    ("who wakes now and then had that little", [WAKES], 0.2, False),
    ("where no move helps there is nothing to wait for", [], math.inf, False),
]


@pytest.mark.parametrize(("ranks", "had_s", "wants"), [row[1:] for row in CREWS], ids=[row[0] for row in CREWS])
def test_for_how_long_each_could_have_moved(ranks: list[tuple[Spent, Spent]], had_s: float, wants: bool) -> None:
    crew = Crew(dict(enumerate(pair[0] for pair in ranks)), dict(enumerate(pair[1] for pair in ranks)), PASSED_S)
    assert crew.had_s(SILENT_S) == pytest.approx(had_s)
    assert crew.wants is wants


def test_who_was_not_there_at_the_first_look_had_nothing() -> None:
    crew = Crew({}, {1: SPINS[1]}, PASSED_S)
    assert (crew.had_s(SILENT_S), crew.wants, crew.sleeping) == (0.0, True, [])


def test_what_a_sleeper_waits_for_is_asked_only_where_all_sleep() -> None:
    early, late = zip(SLEEPS, SPINS, strict=True)
    assert len(Crew({0: early[0]}, {0: late[0]}, PASSED_S).sleeping) == 1
    assert Crew(dict(enumerate(early)), dict(enumerate(late)), PASSED_S).sleeping == []
