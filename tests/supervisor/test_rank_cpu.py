"""CPU use of ranks during a silence, from two samples of their threads and processor times."""

from __future__ import annotations

import math

import pytest

from mlxprobe.supervisor.rank_cpu import CpuUsage, RankCpuUsage
from mlxprobe.system.interface import Thread

PASSED_S, SILENT_S = 5.0, 10.0


def cpu_usage(used_s: float, waited_s: float = 0.0, state: str = "S", switches: int = 3) -> CpuUsage:
    return CpuUsage(used_s, used_s + waited_s, [Thread(7, 7, state, switches, 0)])


SLEEPS = cpu_usage(1.0), cpu_usage(1.0)
SPINS = cpu_usage(1.0, state="R"), cpu_usage(6.0, state="R", switches=9)
STARVES = cpu_usage(1.0, state="R"), cpu_usage(1.5, 4.0, state="R", switches=9)
READY = cpu_usage(1.0, state="R"), cpu_usage(1.0, state="R")
WAKES = cpu_usage(1.0), cpu_usage(1.1, switches=9)
CREWS = [
    ("who sleeps could have moved all the time", [SLEEPS], 10.0, False),
    ("who had a processor all the time, too", [SPINS], 10.0, True),
    ("who wanted one, and got a tenth of it, could for a tenth", [STARVES], 1.0, True),
    ("the one that had the least counts", [SPINS, STARVES, SLEEPS], 1.0, True),
    ("who waits for a processor all the time could never, whatever its times say", [READY], 0.0, True),
    ("who wakes now and then had that little", [WAKES], 0.2, False),
    ("where no move helps there is nothing to wait for", [], math.inf, False),
]


def crew_of(ranks: list[tuple[CpuUsage, CpuUsage]], *of: int) -> RankCpuUsage:
    early, late = (dict(enumerate(one)) for one in zip(*ranks, strict=True)) if ranks else ({}, {})
    return RankCpuUsage(early, late, PASSED_S, of or range(len(ranks)))


@pytest.mark.parametrize(("ranks", "had_s", "wants"), [row[1:] for row in CREWS], ids=[row[0] for row in CREWS])
def test_for_how_long_each_could_have_moved(ranks: list[tuple[CpuUsage, CpuUsage]], had_s: float, wants: bool) -> None:
    crew = crew_of(ranks)
    assert crew.had_s(SILENT_S) == pytest.approx(had_s)
    assert crew.wants is wants


def test_who_was_not_there_at_the_first_look_had_nothing() -> None:
    crew = RankCpuUsage({}, {1: SPINS[1]}, PASSED_S, [1])
    assert (crew.had_s(SILENT_S), crew.wants, crew.sleeping) == (0.0, True, [])


def test_what_a_sleeper_waits_for_is_asked_only_where_all_sleep() -> None:
    assert len(crew_of([SLEEPS]).sleeping) == 1
    assert crew_of([SLEEPS, SPINS]).sleeping == []


def carried(used_s: float, main: str = "S", switches: int = 3, spins: str = "R") -> CpuUsage:
    """Return a look at a rank whose main thread is 7, and whose carriers are 8 and 9, which is never asked."""
    threads = [Thread(7, 7, main, switches, 0), Thread(7, 8, spins, round(100 * used_s), 0), Thread(7, 9, "S", 1, 0)]
    return CpuUsage(used_s, 9.0 * used_s, threads, {8: used_s, 9: 0.0})


WAITS = carried(1.0), carried(1.3)
CARRIES = [
    ("nothing is under way where carriers alone have moved, and long enough", [WAITS, WAITS], 10.0),
    ("a carrier that got too little may have a message in hand", [WAITS, (carried(1.0), carried(1.2))], 0.4),
    ("a carrier that starves has left its sleep", [WAITS, (carried(1.0), carried(1.1, spins="S"))], 0.2),
    ("a main thread that has left its sleep was handed something", [WAITS, (carried(1.0), carried(1.3, "S", 4))], 0.6),
    ("one that computes moves by itself", [WAITS, (carried(1.0, "R"), carried(1.3, "R"))], 0.6),
    ("whose carriers nobody has told may carry", [WAITS, STARVES], 0.6),
]


@pytest.mark.parametrize(("ranks", "had_s"), [row[1:] for row in CARRIES], ids=[row[0] for row in CARRIES])
def test_what_is_under_way_between_ranks_takes_a_carrier(ranks: list[tuple[CpuUsage, CpuUsage]], had_s: float) -> None:
    """The first is the one that must move; what it waits for may be in the others' hands."""
    least = had_s if had_s == SILENT_S else 0.6
    assert crew_of(ranks, 0).had_s(SILENT_S) == pytest.approx(least)
    assert crew_of(ranks).had_s(SILENT_S) == pytest.approx(had_s)
