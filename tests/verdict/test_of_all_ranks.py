"""Of several ranks' rows one is made: the worst rank's, with what was found on any of them."""

from __future__ import annotations

from typing import Any

from lanes import process
from making import record_row

from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.record import Expectation, Finding, ProgramRecord
from mlxprobe.verdict.rows import of_all_ranks

LOST = Finding(code="MP704", name="rank-lost", severity=Severity.ERROR, message="", ranks=(1,), together=True)
NOTE = Finding(code="MP303", name="unshifted-labels", severity=Severity.NOTE, message="", line=7)


def rank(number: int, outcome: Outcome, reason: str = "", size: int = 2, **changes: Any) -> ProgramRecord:
    return record_row(outcome, process=process(number, size), reason=reason, **changes)


def expected(outcome: Outcome, **more: Any) -> Expectation:
    return Expectation(expects=outcome, **more)


def test_the_worst_rank_speaks_for_all() -> None:
    rows = [rank(0, Outcome.ERROR, "connection to a peer was lost"), rank(1, Outcome.CRASH, "ended by SIGKILL")]
    row = of_all_ranks(rows, expected(Outcome.CRASH))
    assert (row.outcome, row.reason) == (Outcome.CRASH, "rank 1: ended by SIGKILL (rank 0: error)")
    assert row.as_expected and row.process is None
    assert [one.process.rank for one in row.ranks if one.process] == [0, 1]


def test_of_two_that_fared_alike_the_one_that_is_blamed_speaks() -> None:
    rows = [
        rank(0, Outcome.ERROR, "connection to a peer was lost", findings=(LOST,)),
        rank(1, Outcome.ERROR, "ValueError: bad batch", findings=(LOST,)),
    ]
    row = of_all_ranks(rows, expected(Outcome.ERROR, raises="ValueError", finds=("MP704",)))
    assert row.as_expected, row.reason
    assert row.reason.startswith("rank 1: ValueError")
    assert row.findings == (LOST,), "each once"
    assert not of_all_ranks(rows, expected(Outcome.ERROR, raises="OSError")).as_expected


def test_what_is_found_on_any_rank_counts_and_what_is_missing_is_told() -> None:
    rows = [rank(0, Outcome.PASS), rank(1, Outcome.PASS, findings=(NOTE,))]
    assert of_all_ranks(rows, expected(Outcome.PASS, finds=("MP303",))).as_expected
    row = of_all_ranks(rows, expected(Outcome.PASS, finds=("MP701",)))
    assert not row.as_expected and "expected MP701" in row.reason


def test_a_rank_that_nobody_saw_is_no_pass() -> None:
    row = of_all_ranks([rank(0, Outcome.PASS, size=3), rank(2, Outcome.PASS, size=3)], expected(Outcome.PASS))
    assert (row.outcome, row.reason, row.as_expected) == (Outcome.UNJUDGED, "of 3 ranks 2 were seen", False)
