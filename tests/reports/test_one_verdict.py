"""One run has one verdict: no format says what another denies."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any, NamedTuple

import pytest
from making import record, record_row, watched_row

from mlxprobe.api import diagnosis_of
from mlxprobe.cli.watch import exit_code
from mlxprobe.diagnosis import RULES
from mlxprobe.reports import FORMATS, WATCH_FORMATS
from mlxprobe.reports.verdicts import verdict
from mlxprobe.schema.enums import HangKind, Outcome, Severity
from mlxprobe.schema.observation import Raised
from mlxprobe.schema.record import Finding, ProgramRecord, Remark, Unchecked

BAD = {"error", "failure"}


class Case(NamedTuple):
    """A run, and what has to be so in every format."""

    row: ProgramRecord
    never: set[str]  # words that no format may use of it
    says: str  # the verdict, as the formats for people have it
    outcome: str
    junit: str = "passed"
    level: str = "notice"  # GitHub's
    exits: tuple[int, int] = (0, 0)  # the exit code with `--fail-on never`, and with `--fail-on warning`


def found(code: str, severity: Severity) -> Finding:
    return Finding(code=code, name=RULES[code].name, severity=severity, message="seen", file="train.py", line=5)


ERROR, WARNING, NOTE = found("MP101", Severity.ERROR), found("MP105", Severity.WARNING), found("MP302", Severity.NOTE)
GAP = Unchecked(code="MP303", name="unshifted-labels", why="no ids")
CRASHED_CHILD = Remark(name="child crashed", message="1 child process, one ended by SIGSEGV")
FINE = {"healthy", "as expected", "pass", "passed"}
CASES = {
    "healthy": Case(watched_row(), {"unhealthy", "not healthy", "accepted", *BAD}, "healthy: no finding", "pass"),
    "healthy, with what was not checked": Case(
        watched_row(unchecked=(GAP,)), {"unhealthy", "not healthy", *BAD}, "healthy: no finding", "pass"
    ),
    "an error": Case(
        watched_row(findings=(ERROR,)), FINE, "not healthy: 1 error", "unhealthy", "failure", "error", (0, 1)
    ),
    "a warning": Case(
        watched_row(findings=(WARNING, NOTE)), FINE, "not healthy: 1 warning, 1 note", "unhealthy", "failure", "error",
        (0, 1),
    ),
    "notes": Case(
        watched_row(findings=(NOTE,)), {"healthy", "unhealthy"}, "no error or warning: 1 note", "pass"
    ),
    "a hang": Case(
        watched_row(Outcome.HANG, kind=HangKind.STALL, reason="stall: silent for 9.0 s", exit_code=-15),
        FINE, "hang (stall): silent for 9.0 s", "hang", "failure", "error", (1, 1),
    ),
    "a hang with an error": Case(
        watched_row(Outcome.HANG, kind=HangKind.STALL, reason="stall: silent for 9.0 s", findings=(ERROR,)),
        FINE, "hang (stall): silent for 9.0 s (1 error)", "hang", "failure", "error", (1, 1),
    ),
    "a hang with one error and one that is accepted": Case(
        watched_row(Outcome.HANG, kind=HangKind.STALL, reason="stall: 9.0 s", findings=(ERROR,), accepted=1),
        FINE, "hang (stall): 9.0 s (1 error; 1 accepted)", "hang", "failure", "error", (1, 1),
    ),
    "an exception": Case(
        watched_row(
            Outcome.ERROR, reason="ValueError: bad", exit_code=1, raised=Raised(type="ValueError", message="bad")
        ),
        FINE, "error: ValueError: bad", "error", "failure", "error", (1, 1),
    ),
    "a crash": Case(
        watched_row(Outcome.CRASH, reason="left with exit code 3 in the middle", exit_code=3),
        FINE, "crash: left with exit code 3 in the middle", "crash", "failure", "error", (3, 3),
    ),
    "accepted": Case(
        watched_row(accepted=2), {"healthy", "unhealthy", *BAD}, "no new finding (2 accepted)", "pass"
    ),
    "one accepted, and one new": Case(
        watched_row(accepted=1, findings=(WARNING,)), FINE, "not healthy: 1 warning (1 accepted)", "unhealthy",
        "failure", "error", (0, 1),
    ),
    "a child that crashed": Case(
        watched_row(remarks=(CRASHED_CHILD,)), {"healthy", "unhealthy", "as expected"},
        f"no finding; {CRASHED_CHILD.message}", "pass", "passed", "warning",
    ),
    "unjudged": Case(
        watched_row(Outcome.UNJUDGED, reason="MLX was never imported: nothing was watched", begun_s=0.0, exit_code=0),
        FINE, "unjudged: MLX was never imported: nothing was watched", "unjudged", "error", "error",
    ),
}  # fmt: skip
ROWS = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def read(form: str, row: ProgramRecord) -> str:
    """Return what a format says of a run: without style, code and the pages of rules."""
    text = WATCH_FORMATS[form](record(row))
    if form == "html":
        text = re.sub(r"(?s)<(style|svg|script|form).*?</\1>|<section class=.rules.*", "", text)
    if form == "sarif":
        log: dict[str, Any] = json.loads(text)
        for run in log["runs"]:
            del run["tool"]
        text = json.dumps(log)
    return text


def words(text: str) -> str:
    """Return a text without marks, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


@pytest.mark.parametrize("form", WATCH_FORMATS)
@ROWS
def test_no_format_says_what_another_denies(case: Case, form: str) -> None:
    text = read(form, case.row)
    for word in case.never - (BAD if form in ("junit", "sarif", "json") else set()):
        denied = rf"(?<!not )(?<!un)\b{word}\b(?!=\"0\")" if word in FINE else rf"\b{word}\b(?!=\"0\")"
        assert not re.search(denied, text, re.IGNORECASE), (form, word)
    if form != "json":
        assert case.says in words(text)


@ROWS
def test_the_text_of_a_record_says_it_too(case: Case) -> None:
    text = words(FORMATS["text"](record(case.row)))
    assert case.says in text and "expected" not in text


@ROWS
def test_every_format_for_programs_has_the_same_verdict(case: Case) -> None:
    (row,) = json.loads(WATCH_FORMATS["json"](record(case.row)))["programs"]
    assert row["outcome"] == case.outcome
    assert row["as_expected"] is (case.outcome == "pass")
    assert row.get("accepted", 0) == case.row.accepted
    assert [one["code"] for one in row.get("unchecked", ())] == [one.code for one in case.row.unchecked]
    suite = ET.fromstring(WATCH_FORMATS["junit"](record(case.row))).find("testsuite")
    assert suite is not None
    marks = [tag for tag in ("failure", "error", "skipped") if suite.find(f"testcase/{tag}") is not None]
    assert (marks or ["passed"]) == [case.junit]
    assert WATCH_FORMATS["github"](record(case.row)).splitlines()[-1].startswith(f"::{case.level} ")
    (run,) = json.loads(WATCH_FORMATS["sarif"](record(case.row)))["runs"]
    assert (run["properties"]["outcome"], run["properties"]["verdict"]) == (case.outcome, case.says)
    assert [one["level"] for one in run["results"]] == [str(one.severity) for one in case.row.findings]


def test_what_was_expected_to_pass_and_did_is_not_called_healthy_where_an_error_was_found() -> None:
    row = record_row(program="train.py", scenario="", variant="", findings=(ERROR,))
    assert row.as_expected and not row.watched and verdict(row) == "1 error"
    suite = ET.fromstring(WATCH_FORMATS["junit"](record(row))).find("testsuite")
    assert suite is not None and suite.get("failures") == "0"
    assert "1 program, all as expected" in WATCH_FORMATS["markdown"](record(row))


@ROWS
def test_the_exit_code_agrees_with_the_verdict(case: Case) -> None:
    code, ended = case.row.exit_code, "stalled" if case.row.outcome is Outcome.HANG else "exited"
    asked = [exit_code([case.row], fail_on, ended, code) for fail_on in ("never", "warning")]
    assert tuple(asked) == case.exits
    assert (asked[1] == 0) is (case.junit == "passed") or case.row.outcome is Outcome.UNJUDGED


@ROWS
def test_the_result_in_python_agrees_with_the_verdict(case: Case) -> None:
    seen = diagnosis_of(case.row)
    assert (str(seen.outcome), seen.as_expected) == (case.outcome, case.outcome == "pass")
    assert (seen.findings, seen.unchecked) == (case.row.findings, case.row.unchecked)
    assert bool(seen.grave) == any(one.severity is not Severity.NOTE for one in case.row.findings)
    assert len(repr(seen)) < 200 and case.outcome in repr(seen)
