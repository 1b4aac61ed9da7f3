"""What is not as expected is run again before it counts: a runner whose programs are scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from making import HERE, raised, scenario, seen

from mlxprobe.catalogue.discovery import Entry, read
from mlxprobe.runner import runner as running
from mlxprobe.runner.runner import Runner, exit_code
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.observation import Observation, Program, Step
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.settings.table import resolve

GOOD, BAD = seen(), raised()
SLOWER = seen(steps=tuple(Step(n=n, t_s=n, step_s=0.05) for n in range(1, 21)))
LOST = seen(begun=False, ended="not-started")
STOPPED = seen(ended="interrupted")


class Listener:
    """Count what is told."""

    def __init__(self) -> None:
        self.starts: list[str] = []
        self.ends: list[ProgramRecord] = []

    def started(self, name: str) -> None:
        self.starts.append(name)

    def moved(self, name: str, what: str) -> None: ...

    def ended(self, name: str, row: ProgramRecord) -> None:
        self.ends.append(row)


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return read(scenario(tmp_path, "scripted"))


Scripted = Callable[..., tuple[Runner, Listener]]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    def make(stop: threading.Event | None = None, **runs: list[Observation]) -> tuple[Runner, Listener]:
        def observe(program: Program, limits: object, **_: Any) -> tuple[Observation, ...]:
            found = runs[program.name.partition("/")[2]].pop(0)
            if stop is not None and found is STOPPED:
                stop.set()
            return (msgspec.structs.replace(found, program=program.name),)

        monkeypatch.setattr(running, "observe_all", observe)
        listener = Listener()
        return Runner(resolve({}), HERE, listener, stop), listener

    return make


def test_what_is_expected_is_run_once(entry: Entry, scripted: Scripted) -> None:
    runner, listener = scripted(right=[GOOD], wrong=[GOOD])
    row = runner.variant_row(entry, entry.variants[1])
    assert row.as_expected and not row.repeats
    assert len(listener.starts) == len(listener.ends) == 2


def test_a_hiccup_is_told_and_counts(entry: Entry, scripted: Scripted) -> None:
    runner, listener = scripted(right=[GOOD], wrong=[BAD, GOOD, GOOD])
    row = runner.variant_row(entry, entry.variants[1])
    assert (row.outcome, row.intermittent, exit_code([row])) == (Outcome.ERROR, "1 of 3", 1)
    assert [one.intermittent for one in listener.ends] == ["", "1 of 3"]


def test_what_comes_back_is_simply_unexpected(entry: Entry, scripted: Scripted) -> None:
    runner, _ = scripted(right=[GOOD], wrong=[BAD, BAD, BAD])
    row = runner.variant_row(entry, entry.variants[1])
    assert (row.outcome, row.intermittent, exit_code([row])) == (Outcome.ERROR, "", 1)


def test_what_could_not_be_judged_once_is_no_reason_to_judge_nothing(entry: Entry, scripted: Scripted) -> None:
    runner, _ = scripted(right=[GOOD], wrong=[LOST, GOOD, GOOD])
    row = runner.variant_row(entry, entry.variants[1])
    assert (row.outcome, row.intermittent, exit_code([row])) == (Outcome.UNJUDGED, "1 of 3", 1)


def test_a_correct_loop_is_repeated_too_and_variants_are_held_against_a_good_run(
    entry: Entry, scripted: Scripted
) -> None:
    runner, _ = scripted(right=[BAD, GOOD, GOOD], wrong=[GOOD])
    assert runner.variant_row(entry, entry.variants[1]).as_expected
    assert runner.variant_row(entry, entry.correct).intermittent == "1 of 3"


def test_where_steps_are_timed_a_repetition_has_the_correct_loop_run_beside_it(
    tmp_path: Path, scripted: Scripted
) -> None:
    file = scenario(tmp_path, "timed")
    file.write_text(file.read_text().replace("Scenario()", "Scenario(slow_factor=2)"))
    timed = read(file)
    runner, listener = scripted(right=[GOOD, SLOWER, SLOWER], wrong=[SLOWER, SLOWER, SLOWER])
    row = runner.variant_row(timed, timed.variants[1])
    assert [one.outcome for one in row.repeats] == [Outcome.SLOW, Outcome.PASS, Outcome.PASS]
    assert len(listener.starts) == 4  # the loop beside is none of the programs that are told


def test_ctrl_c_between_repetitions_leaves_what_was_seen(entry: Entry, scripted: Scripted) -> None:
    stop = threading.Event()
    runner, _ = scripted(stop, right=[GOOD], wrong=[BAD, STOPPED])
    row = runner.variant_row(entry, entry.variants[1])
    assert (row.outcome, row.repeats) == (Outcome.ERROR, ())
