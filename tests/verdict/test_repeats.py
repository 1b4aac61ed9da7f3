"""Several runs of one program: the row that is told of them."""

from __future__ import annotations

import pytest
from making import record_row

from mlxprobe.schema.enums import HangKind, Outcome
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.verdict.rows import GRAVITY, worst

GOOD = record_row()
HUNG = record_row(Outcome.HANG, kind=HangKind.DEADLOCK, as_expected=False, reason="it hung")
RAISED = record_row(Outcome.ERROR, as_expected=False, reason="it raised")
LOST = record_row(Outcome.UNJUDGED, as_expected=False, reason="no word from it")
WELL = record_row(as_expected=False, reason="it should have hung")
RUNS = [
    ("a hiccup is told with its evidence", [HUNG, GOOD, GOOD], "it hung", "1 of 3"),
    ("so is one of the repetitions", [RAISED, GOOD, RAISED], "it raised", "2 of 3"),
    ("the gravest counts", [RAISED, HUNG, GOOD], "it hung", "2 of 3"),
    ("what all agree on is not intermittent", [HUNG, HUNG, HUNG], "it hung", ""),
    ("what is never as expected is not intermittent", [RAISED, HUNG, RAISED], "it hung", ""),
    ("what could be judged counts before what could not", [LOST, RAISED, LOST], "it raised", ""),
    ("a pass that nobody expected counts too", [WELL, record_row(Outcome.HANG), WELL], "it should have hung", "2 of 3"),
]


@pytest.mark.parametrize(("runs", "reason", "share"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS])
def test_the_worst_of_several_runs(runs: list[ProgramRecord], reason: str, share: str) -> None:
    found = worst(runs)
    assert (found.reason, found.intermittent, found.as_expected) == (reason, share, False)
    assert [one.reason for one in found.repeats] == [one.reason for one in runs]


def test_a_single_run_is_told_as_it_is() -> None:
    assert worst([HUNG]) is HUNG


def test_every_outcome_has_its_gravity() -> None:
    assert set(GRAVITY) == set(Outcome)
