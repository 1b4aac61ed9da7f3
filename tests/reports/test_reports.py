"""Reports: what a reader must find in each format."""

import json
import xml.etree.ElementTree as ET

import pytest
from making import STACK, record, record_row

from mlxprobe.pytest_plugin.plugin import explain
from mlxprobe.reports import FORMATS, markdown, markdown_html, phrases
from mlxprobe.reports.side_by_side import aligned, body_of
from mlxprobe.schema.enums import HangKind, Outcome, Role, Severity
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.record import Finding, ProgramRecord, Record
from mlxprobe.schema.versions import SCHEMA_VERSION
from mlxprobe.verdict.rows import worst

FOUND = Finding(code="MP101", name="unevaluated-update", severity=Severity.ERROR, message="grows")
HUNG = record_row(
    Outcome.HANG, variant="nothing", kind=HangKind.STALL, claims=Outcome.HANG, says="It hangs.", findings=(FOUND,),
    documents=("000_x.txt",), stacks=(STACK,),
)  # fmt: skip
REFUTED = record_row(Outcome.PASS, variant="only_loss", claims=Outcome.HANG, says="This hangs too.")
UNEXPECTED = record_row(Outcome.CRASH, variant="boom", as_expected=False, expects=Outcome.PASS)
CORRECT = record_row(Outcome.PASS, variant="right", role=Role.CORRECT)
RECORD = record(CORRECT, HUNG, REFUTED, UNEXPECTED)

STATUS = [
    ("no claim", {}, ""),
    ("as claimed", {"claims": Outcome.HANG, "outcome": Outcome.HANG}, "confirmed"),
    ("claimed broken but passes", {"claims": Outcome.HANG, "outcome": Outcome.PASS}, "not reproduced"),
    ("claimed to hang but raises", {"claims": Outcome.HANG, "outcome": Outcome.ERROR}, "manifests differently"),
    ("a fix that fails", {"claims": Outcome.PASS, "outcome": Outcome.ERROR, "role": Role.DOCUMENTED_FIX},
     "the documented fix itself fails"),
    ("a suggested cure that fails", {"claims": Outcome.PASS, "outcome": Outcome.HANG, "role": Role.MITIGATION},
     "the documented fix itself fails"),
    ("a fix that works", {"claims": Outcome.PASS, "outcome": Outcome.PASS, "role": Role.DOCUMENTED_FIX}, "confirmed"),
    ("not judged", {"claims": Outcome.PASS, "outcome": Outcome.UNJUDGED}, "not judged"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status"), [case[1:] for case in STATUS], ids=[case[0] for case in STATUS])
def test_status_of_a_claim(changes: dict[str, object], status: str) -> None:
    assert phrases.status(record_row(**changes)) == status  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_names_every_variant_and_reason(form: str) -> None:
    report = FORMATS[form](RECORD)
    for one in RECORD.programs:
        assert one.variant in report
    assert "because of 42" in report


def test_text_fits_80_columns_and_has_no_colour() -> None:
    report = FORMATS["text"](RECORD)
    assert max(map(len, report.splitlines())) <= 80
    assert "\x1b" not in report


SOMETIMES = worst(
    [record_row(Outcome.HANG, kind=HangKind.STALL, as_expected=False, expects=Outcome.PASS), CORRECT, CORRECT]
)


@pytest.mark.parametrize("form", ["text", "markdown", "junit"])
def test_every_format_tells_what_happened_now_and_then(form: str) -> None:
    assert "intermittent (1 of 3): hang (stall), pass, pass" in " ".join(FORMATS[form](record(SOMETIMES)).split())


def test_the_record_has_every_run_of_what_happened_now_and_then() -> None:
    (row,) = json.loads(FORMATS["json"](record(SOMETIMES)))["programs"]
    assert [one["outcome"] for one in row["repeats"]] == ["hang", "pass", "pass"]
    assert "1 not as expected (1 intermittent)" in phrases.summary([CORRECT, SOMETIMES])


def test_what_came_back_every_time_is_told_as_that() -> None:
    assert phrases.repeated(worst([UNEXPECTED] * 3)) == "the same in 3 runs"


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_keeps_the_records_order(form: str) -> None:
    report = FORMATS[form](RECORD)
    places = [report.index(one.variant) for one in RECORD.programs]
    assert places == sorted(places)


def test_text_sets_the_claim_against_what_was_observed() -> None:
    lines = FORMATS["text"](RECORD).splitlines()
    assert any("documented: hang – observed: pass: not reproduced" in line for line in lines)
    assert any("expected: pass" in line for line in lines)


@pytest.mark.parametrize("form", FORMATS)
def test_no_line_ends_in_spaces(form: str) -> None:
    report = FORMATS[form](record(HUNG, record_row(title="", reason=""), complete=False, problems=("gone",)))
    assert [line for line in report.splitlines() if line != line.rstrip()] == []


TRIMMED = [
    ("plain", "a  \nb\n", "a\nb\n"),
    ("before a colour's end", "\x1b[1ma  \x1b[0m\nb", "\x1b[1ma\x1b[0m\nb"),
    ("what stands inside stays", "  a  b", "  a  b"),
    ("an empty line keeps its end", "a\n   \nb", "a\n\nb"),
]


@pytest.mark.parametrize(("text", "right"), [case[1:] for case in TRIMMED], ids=[case[0] for case in TRIMMED])
def test_trimmed(text: str, right: str) -> None:
    assert phrases.trimmed(text) == right


@pytest.mark.parametrize(("number", "right"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs")])
def test_a_number_and_its_word_agree(number: int, right: str) -> None:
    assert counted(number, "run") == right


SUMMARIES = [
    ("one program without a claim", [CORRECT], "1 program, all as expected"),
    ("one claim that holds", [HUNG], "1 program, all as expected, 0 of 1 documented claim does not hold here"),
    ("one that does not", [REFUTED], "1 program, all as expected, 1 of 1 documented claim does not hold here"),
    ("one of two", [HUNG, REFUTED], "2 programs, all as expected, 1 of 2 documented claims does not hold here"),
]


@pytest.mark.parametrize(("rows", "told"), [case[1:] for case in SUMMARIES], ids=[case[0] for case in SUMMARIES])
def test_the_summary_counts(rows: list[ProgramRecord], told: str) -> None:
    assert phrases.summary(rows) == told


def test_json_is_read_by_codes_alone() -> None:
    data = json.loads(FORMATS["json"](RECORD))
    hung = data["programs"][1]
    assert (data["schema_version"], hung["outcome"], hung["kind"]) == (SCHEMA_VERSION, "hang", "stall")
    assert hung["findings"][0]["code"] == "MP101"


def test_findings_are_there_where_there_are_none_too() -> None:
    assert json.loads(FORMATS["json"](record(record_row())))["programs"][0]["findings"] == []


def test_junit_counts_what_it_lists() -> None:
    suite = ET.fromstring(FORMATS["junit"](RECORD)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["boom"]


def test_junit_survives_characters_that_xml_does_not_have() -> None:
    report = FORMATS["junit"](record(record_row(Outcome.CRASH, reason="\x00\x1b[31m]]>", as_expected=False)))
    ET.fromstring(report)


def test_the_ledger_has_a_row_per_claim() -> None:
    rows = [line for line in markdown.ledger(RECORD) if line.startswith("| 000") or "This hangs too" in line]
    assert len(rows) == 2
    assert "**confirmed**" in rows[0]
    assert "**not reproduced**" in rows[1]


def test_markdown_cells_do_not_break_the_table() -> None:
    lines = FORMATS["markdown"](RECORD).splitlines()
    assert all(line.replace("\\|", "").count("|") in (6, 7) for line in lines if line.startswith("|"))


def test_an_interrupted_record_says_so() -> None:
    made: Record = record(complete=False)
    assert "interrupted" in FORMATS["text"](made)


def test_a_failed_item_shows_evidence_and_stacks() -> None:
    text = explain(HUNG)
    assert "toy/nothing: expected hang, observed hang (stall)" in text
    assert "train.py:42 in train: mx.eval(loss)" in text


SOURCE = '''
@probe.correct
def right():
    """Train."""
    a = 1
    b = 2

@probe.broken()
def wrong():
    a = 1
    b = 3
    c = 4
'''


def test_code_is_shown_without_decorator_and_docstring_and_differences_are_marked() -> None:
    left, right = body_of(SOURCE, "wrong"), body_of(SOURCE, "right")
    assert right == ["a = 1", "b = 2"]
    assert list(aligned(left, right)) == [(" ", "a = 1", "a = 1"), ("~", "b = 3", "b = 2"), ("-", "c = 4", "")]


def test_a_sheet_shows_markup_in_the_text_as_text() -> None:
    page = markdown_html.page("<b>", "# gate\n\n| a | b |\n| --- | --- |\n| <script>alert(1)</script> | 2 |\n")
    assert "<table>" in page and "<script>" not in page and "&lt;script&gt;" in page and "<title>&lt;b&gt;" in page
