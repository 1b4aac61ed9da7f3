"""What a self-test expects of its own programs: pure, on values."""

import sys
import threading
from pathlib import Path

import msgspec
import pytest
from making import STACK, seen, stalled
from running import MLXPROBE, run

from mlxprobe.schema.enums import HangKind, Outcome, Severity
from mlxprobe.schema.observation import Frame, Observation
from mlxprobe.schema.record import Expectation, Finding, ProgramRecord, Verdict
from mlxprobe.schema.record_io import row
from mlxprobe.selftest import healthy, misbehaving, overhead
from mlxprobe.selftest.misbehaving import TRIALS

BUSY = next(one for one in TRIALS if one.name == "busy_loop")
LINE = Frame(file=str(BUSY.file), line=3, function="<module>", code="while True:")


def stuck(kind: HangKind, frame: Frame = LINE) -> Observation:
    made = stalled(kind)
    assert made.silence is not None
    silence = msgspec.structs.replace(made.silence, stacks=(msgspec.structs.replace(STACK, frames=(frame,)),))
    return msgspec.structs.replace(made, silence=silence)


def lacking(made: Observation) -> list[str]:
    return list(misbehaving.lacks(BUSY, made, misbehaving.verdict(BUSY, made)))


def test_a_child_is_told_by_its_kind_and_its_place() -> None:
    assert lacking(stuck(HangKind.STALL)) == []


def test_a_kind_that_cannot_be_known_is_no_lie_and_a_wrong_one_is() -> None:
    assert lacking(stuck(HangKind.UNKNOWN)) == []
    assert lacking(stuck(HangKind.DEADLOCK)) == ["expected: stall, not deadlock"]


def test_a_line_that_is_not_there_is_no_place() -> None:
    elsewhere = msgspec.structs.replace(LINE, line=1)
    assert lacking(stuck(HangKind.STALL, elsewhere)) == ["expected in its stack: while True:"]


def test_every_child_is_there_and_has_a_name_of_its_own() -> None:
    assert len({one.name for one in TRIALS}) == len(TRIALS) == 38
    assert all(one.file.is_file() for one in TRIALS)


def trained(steps: int, *findings: Finding, outcome: Outcome = Outcome.PASS) -> ProgramRecord:
    verdict = Verdict(outcome=outcome, reason="finished")
    made = row(seen(), findings, verdict, Expectation(), program="classifier.py")
    return healthy.judged(msgspec.structs.replace(made, steps=steps), "classifier")


def blame(severity: Severity) -> Finding:
    return Finding(code="MP101", name="unevaluated-update", severity=severity, message="so")


def test_a_trainer_passes_with_all_steps_seen() -> None:
    one = trained(96)
    assert (one.name, one.as_expected, one.reason) == ("healthy-trainers/classifier", True, "finished")


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (trained(95), "95 of 96 steps were seen"),
        (trained(96, blame(Severity.WARNING)), "blamed by MP101"),
        (trained(96, outcome=Outcome.ERROR), "finished"),
    ],
    ids=["a step is missing", "it is blamed", "it fails"],
)
def test_a_trainer_that_is_not_seen_as_it_is_was_not_expected(one: ProgramRecord, says: str) -> None:
    assert not one.as_expected
    assert says in one.reason


def test_notes_blame_no_trainer() -> None:
    assert trained(96, blame(Severity.NOTE)).as_expected


def rounds(*ratios: float) -> list[dict[str, overhead.Figures]]:
    return [{"plain": (1.0, 1.0, 2.0), "watched": (1.0, 1.0, 2.0 * ratio)} for ratio in ratios]


def test_what_watching_costs_is_told_with_its_spread() -> None:
    one = overhead.judged("steps-of-a-small-model", rounds(1.02, 1.3, 1.05))
    assert (one.outcome, one.as_expected) == (Outcome.PASS, True)
    assert one.reason == "a step takes 2.1 ms watched, 2 ms as it is: × 1.050 (1.020 – 1.300 in 3 rounds)"
    assert one.result["plain_step_ms"] == (2.0, 2.0, 2.0)


def test_steps_that_take_twice_as_long_in_every_round_are_slow() -> None:
    assert overhead.judged("x", rounds(2.1, 2.4, 9.0)).outcome is Outcome.SLOW
    assert overhead.judged("x", rounds(1.9, 2.4, 9.0)).outcome is Outcome.PASS


@pytest.mark.slow
def test_a_loop_runs_in_turn_as_it_is_and_watched() -> None:
    loop = [overhead.SHORT_STEPS, "50", "2"]
    words = {"plain": lambda: [sys.executable, *loop], "watched": lambda: [*MLXPROBE, "watch", "--no-live", *loop]}
    (one,) = overhead.interleaved(words, 1, threading.Event())
    assert {name: len(figures) for name, figures in one.items()} == {"plain": 3, "watched": 3}


def test_a_round_without_figures_is_not_judged() -> None:
    one = overhead.judged("x", [*rounds(1.0), {"plain": (1.0, 1.0, 2.0)}])
    assert (one.outcome, one.as_expected, one.reason) == (Outcome.UNJUDGED, False, "1 of 2 rounds gave figures")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deletes_its_folder", "kills_its_reaper", "stops_its_reaper"])
def test_a_child_that_harms_what_is_around_it_does_nothing_where_nobody_watches(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    order = ["sh", "-c", '"$@"; echo still here', "sh", sys.executable, str(misbehaving.FOLDER / f"{name}.py")]
    ran = run(order, tmp_path, TMPDIR=str(tmp_path))
    assert ran.out == "still here\n" and "`mlxprobe selftest` runs it" in ran.err and (tmp_path / "mine").exists()
