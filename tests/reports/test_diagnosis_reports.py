"""What `mlxprobe watch` reports of one program, in each format; no text breaks out of its line."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import STACK, raised, record, record_row, watched_row

from mlxprobe.cli.display import shown
from mlxprobe.diagnosis import RULES
from mlxprobe.reports import WATCH_FORMATS, annotations, cause_groups, diagnosis, phrases, sarif, verdicts
from mlxprobe.reports.indent import breaks
from mlxprobe.schema import texts
from mlxprobe.schema.enums import HangKind, Outcome, Severity, Whose
from mlxprobe.schema.observation import Frame, Place, Raised, Reading, Stack
from mlxprobe.schema.record import Finding, ProgramRecord, Record, Remark, Unchecked

SOURCE = """import mlx.core as mx

for step in range(20):
    loss, grads = loss_and_grad(model, batch)
    optimizer.update(model, grads)
    total = total + loss
print(total.item())
"""


def finding(code: str = "MP101", file: str = "train.py", line: int = 5, **changes: Any) -> Finding:
    rule = RULES[code]
    made = Finding(code=code, name=rule.name, severity=rule.severity, message="it grows", file=file, line=line)
    return msgspec.structs.replace(made, **changes)


def watched(*findings: Finding, outcome: Outcome = Outcome.PASS, **changes: Any) -> ProgramRecord:
    return watched_row(outcome, **{"findings": findings} | changes)


GRAVE = finding(evidence={"operations_per_step": 1130.0, "ratio": 0.12345, "steps": 20.0})
MILD = finding("MP105", line=6)
NOTE = finding("MP302", line=4, severity=Severity.NOTE)
NOT_CHECKED = tuple(
    Unchecked(code=code, name=RULES[code].name, why=why)
    for code, why in (
        ("MP201", "no gradient was evaluated"),
        ("MP304", "no ids"),
        ("MP208", "no gradient was evaluated"),
    )
)
LIBRARY = Frame(
    file="/x/lib/python3.12/site-packages/mlx/nn/utils.py", line=3, function="inner", code="f()", whose=Whose.LIBRARY
)
USERS = Frame(file="train.py", line=7, function="<module>", code="print(total.item())")
HUNG = watched(
    NOTE, MILD, GRAVE, outcome=Outcome.HANG, kind=HangKind.STALL, reason="stall: silent for 1.1 s",
    unchecked=NOT_CHECKED, stacks=(Stack(pid=7, thread="0x1", frames=(LIBRARY, USERS)),),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)


def test_findings_read_as_a_compiler_prints_them() -> None:
    report = diagnosis.render(record(watched(GRAVE)))
    assert report.splitlines()[:4] == [
        "train.py:5: MP101 error unevaluated-update: it grows",
        "        optimizer.update(model, grads)",
        "    operations_per_step = 1,130, ratio = 0.1235, steps = 20",
        "    Use instead: `mx.eval(model.parameters(), optimizer.state)` after each",
    ]
    assert report.endswith("peak memory 2.0 kB\nnot healthy: 1 error\n")


def test_a_path_below_the_current_folder_is_relative_another_is_not(tmp_path: Path) -> None:
    found = finding(file=str(tmp_path / "src" / "a.py")), finding(file="/elsewhere/b.py")
    report = diagnosis.render(record(watched(*found)))
    assert "\nsrc/a.py:5: MP101" in report
    assert report.startswith("/elsewhere/b.py:5: MP101")


def test_errors_come_first_then_file_and_line() -> None:
    findings = [NOTE, MILD, finding(file="z.py", line=1), finding(line=30), finding(line=4)]
    places = [(one.code, one.file, one.line) for one in cause_groups.ordered(findings)]
    assert places == [("MP101", "train.py", 4), ("MP101", "train.py", 30), ("MP101", "z.py", 1),
                      ("MP105", "train.py", 6), ("MP302", "train.py", 4)]  # fmt: skip


def test_advice_is_given_once_for_a_code() -> None:
    assert diagnosis.render(record(watched(GRAVE, finding(line=6), MILD))).count("Use instead:") == 2


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_rule_has_advice(code: str) -> None:
    assert diagnosis.advice(RULES[code].at("")).startswith("Use instead: ")


def remark(name: str, message: str, **changes: Any) -> Remark:
    return Remark(name=name, message=message, **changes)


FIRST = msgspec.structs.replace(remark("no step", "the first training step has not ended"), detail={"gradients": 1})
BLIND = remark("no step", "no training step was seen: nothing can be said of training")
CHILD = remark("child crashed", "2 child processes, one ended by SIGSEGV")
EARLY = remark("left early", "it left past Python's own ending", grave=False)
STOPPED = remark("interrupted", "interrupted by Ctrl-C, at step 20")
VERDICTS = [
    ("no step", watched(remarks=(BLIND,)), f"no finding; {BLIND.message}"),
    ("a child that crashed", watched(NOTE, remarks=(CHILD,)), f"1 note; {CHILD.message}"),
    ("a warning, and a child that crashed", watched(MILD, remarks=(CHILD,)),
     f"not healthy: 1 warning; {CHILD.message}"),
    ("what is no reason to doubt", watched(remarks=(EARLY,)), "healthy: no finding"),
    ("Ctrl-C", watched(outcome=Outcome.UNJUDGED, remarks=(STOPPED,)), f"{STOPPED.message}: no finding so far"),
    ("Ctrl-C after an error", watched(GRAVE, outcome=Outcome.UNJUDGED, remarks=(STOPPED,)),
     f"{STOPPED.message}: 1 error so far"),
    ("nothing found", watched(), "healthy: no finding"),
    ("only a note", watched(NOTE), "no error or warning: 1 note"),
    ("unchecked is nothing found", watched(unchecked=NOT_CHECKED), "healthy: no finding"),
    ("a warning", watched(MILD, NOTE), "not healthy: 1 warning, 1 note"),
    ("a hang without a finding", watched(outcome=Outcome.HANG, kind=HangKind.DEADLOCK, reason="deadlock: silent"),
     "hang (deadlock): silent"),
    ("a hang with findings", HUNG, "hang (stall): silent for 1.1 s (1 error, 1 warning, 1 note)"),
    ("an exception", watched(outcome=Outcome.ERROR, reason="ValueError: bad\nshape"), "error: ValueError: bad shape"),
    ("not judged", watched(outcome=Outcome.UNJUDGED, reason="interrupted"), "unjudged: interrupted"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "told"), [case[1:] for case in VERDICTS], ids=[case[0] for case in VERDICTS])
def test_the_verdict_is_one_line(one: ProgramRecord, told: str) -> None:
    assert verdicts.verdict(one) == told
    assert told in " ".join(diagnosis.render(record(one)).split())


def test_what_else_is_known_is_told_once() -> None:
    report = diagnosis.told(watched(remarks=(CHILD, EARLY)))
    assert report.count(CHILD.message) == 1 and f"also: {EARLY.message}" in report
    crashed = diagnosis.told(watched(outcome=Outcome.CRASH, reason="ended by SIGSEGV", remarks=(CHILD,)))
    assert f"also: {CHILD.message}" in crashed


def test_a_program_that_is_fine_needs_few_lines() -> None:
    assert len(diagnosis.told(watched()).splitlines()) <= 3
    blind = watched(unchecked=NOT_CHECKED, remarks=(BLIND,), steps=0, step_s=(), losses=())
    assert len(diagnosis.told(blind).splitlines()) == 2


def test_every_form_tells_what_else_is_known() -> None:
    made = record(watched(remarks=(CHILD,)))
    for form in ("text", "json", "junit", "github", "sarif"):
        assert CHILD.message in " ".join(WATCH_FORMATS[form](made).split()), form
    assert annotations.render(made).startswith("::warning ")


def losses(*values: float, stream: int = 0) -> tuple[Reading, ...]:
    return tuple(Reading(step=n, value=value, stream=stream) for n, value in enumerate(values, 1))


WORST = "first 10.0 ms, slowest after it 10.0 ms at step 2, 1.9 s in all"
FIGURES = [
    ("all of them", {}, "20 steps, 10.0 ms a step, " + WORST + ", loss 4 → 0.2, peak memory 2.0 kB"),
    ("no step", {"steps": 0, "step_s": (), "losses": ()}, "no training step, peak memory 2.0 kB"),
    ("the first step", {"steps": 0, "step_s": (), "losses": (), "memory": (), "samples": (), "remarks": (FIRST,)},
     "in the first training step"),
    ("one step", {"steps": 1, "step_s": (0.5,), "losses": losses(2.0)},
     "1 step, 500.0 ms a step, loss 2, peak memory 2.0 kB"),
    ("the first model's loss", {"losses": losses(4.0, 1.0) + losses(9.0, stream=1)},
     "20 steps, 10.0 ms a step, " + WORST + ", loss 4 → 1, peak memory 2.0 kB"),
    ("a loss that is not finite", {"losses": losses(4.0, float("nan"))},
     "20 steps, 10.0 ms a step, " + WORST + ", loss 4 → nan, peak memory 2.0 kB"),
    ("without MLX's own figure", {"memory": ()},
     "20 steps, 10.0 ms a step, " + WORST + ", loss 4 → 0.2, peak resident memory 50.0 MB"),
    ("a step that took long", {"worst_step": 300, "worst_step_s": 7.44, "steps_s": 1234.5, "losses": (), "memory": ()},
     "20 steps, 10.0 ms a step, first 10.0 ms, slowest after it 7.4 s at step 300, 1,234 s in all, "
     "peak resident memory 50.0 MB"),
    ("nothing known", {"steps": 0, "step_s": (), "losses": (), "memory": (), "samples": ()}, "no training step"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), [case[1:] for case in FIGURES], ids=[case[0] for case in FIGURES])
def test_figures(changes: dict[str, Any], told: str) -> None:
    assert diagnosis.figures(watched(**changes)) == told


@pytest.mark.parametrize(
    ("value", "told"), [(3.0, "3"), (1130.25, "1,130"), (0.5, "0.5"), (float("inf"), "inf"), (float("nan"), "nan")]
)
def test_a_figure_of_the_evidence(value: float, told: str) -> None:
    assert diagnosis.figure(value) == told


def test_what_could_not_be_checked_is_grouped_by_reason() -> None:
    lines = diagnosis.render(record(HUNG)).splitlines()
    assert lines[-2:] == ["not checked: MP201, MP208 (no gradient was evaluated)", "not checked: MP304 (no ids)"]


def test_a_hang_shows_its_stacks_from_the_users_innermost_frame_on() -> None:
    report = diagnosis.render(record(HUNG))
    head = "process 7, thread 0x1, innermost call first:\n"
    assert f"{head}    train.py:7 in <module>: print(total.item())\n" in report
    assert "site-packages" not in report
    assert "site-packages" in diagnosis.told(
        watched(outcome=Outcome.HANG, stacks=(Stack(pid=7, thread="0x1", frames=(LIBRARY,)),))
    )
    deep = Stack(pid=7, thread="0x1", frames=(USERS,) * 25)
    assert "… and 5 outer calls" in diagnosis.told(watched(outcome=Outcome.HANG, stacks=(deep,)))
    assert "thread 0x1" not in diagnosis.told(watched(stacks=(STACK,)))


def test_an_exception_is_told_with_its_place() -> None:
    report = diagnosis.told(watched(outcome=Outcome.ERROR, raised=raised().raised))
    assert "raised at train.py:9\n" in report


def test_what_the_baseline_had_and_an_early_end_are_told() -> None:
    report = diagnosis.render(record(watched(accepted=2), complete=False, problems=("it\x1b broke",)))
    assert "no new finding (2 accepted)\n" in report
    assert "problem: it\\x1b broke" in report
    assert "not complete: this is what was seen by then" in report


@pytest.mark.parametrize("width", [1, 10, 40, 80, 200])
def test_the_text_fits_its_width_but_for_a_place_and_has_no_colour(width: int) -> None:
    wide = finding(file="/deep" * 40 + "/a.py", message="word " * 60, evidence={"x" * 100: 1.0})
    report = diagnosis.render(record(HUNG, watched(wide)), width)
    beyond = [line.strip() for line in report.splitlines() if len(line) > width]
    assert all(len(line.split()[0]) > width - 8 for line in beyond)  # one word is longer than a line
    assert width < 80 or [line for line in beyond if "a.py" not in line] == []
    assert "\x1b" not in report
    assert [line for line in report.splitlines() if line != line.rstrip()] == []


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31mMP101 error" in shown(diagnosis.renderable(record(HUNG)))


HOSTILE = [
    ("a colour", "\x1b[31mred\x1b[0m"),
    ("a title of the window", "\x1b]0;owned\x07"),
    ("a carriage return", "a\rb\r\nc"),
    ("a form feed and vertical tab", "a\x0cb\x0bc"),
    ("C1 controls", "\x9b31m\x85"),
    ("reversed text", "a\u202ecba\u2066\u200f"),
    ("invisible characters", "a\u200b\ufeff\u00ad"),
    ("line separators", "a\u2028b\u2029c"),
    ("a NUL", "a\x00b"),
    ("half a character", "\ud800 \udcff"),
    ("a workflow command", "\n::error::x\n##[error]x\n::stop-commands::t"),
    ("rich's markup", "[bold]x[/nothing] :smile:"),
    ("a brace of XML", "]]><x>&amp;"),
]


def hostile(text: str) -> Record:
    caller = Place(file=text, line=2, source=text)
    found = finding(file=f"{text}.py", message=text, name=text, evidence={text: 1.0}, caller=caller)
    why = Unchecked(code="MP201", name=text, why=text)
    frame = Frame(file=text, line=3, function=text, code=text)
    return record(
        watched(
            found, unchecked=(why,), outcome=Outcome.HANG, kind=HangKind.STALL, reason=text, variant=text,
            stacks=(Stack(pid=1, thread=text, frames=(frame,)),),
            raised=Raised(type=text, message=text, file=text, line=1, caller=caller),
        ),
        problems=(text,),
    )  # fmt: skip


def harmless(line: str) -> bool:
    return not re.search("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]", line)


@pytest.mark.parametrize("text", [case[1] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_text_breaks_no_format(text: str) -> None:
    made = hostile(text)
    report = diagnosis.render(made)
    assert all(map(harmless, report.split("\n")))
    assert sum(line.startswith("stall") or ": MP101 error" in line for line in report.split("\n")) <= 1
    commands = annotations.render(made).removesuffix("\n").split("\n")
    assert len(commands) == 3
    assert all(harmless(line) and line.startswith("::error ") for line in commands)
    ET.fromstring(WATCH_FORMATS["junit"](made))
    json.loads(sarif.render(made).encode())


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_no_text_starts_another_workflow_command(message: str, title: str, file: str) -> None:
    line = annotations.command("error", message, title=f"t{title}", file=file, line=3)
    assert line.splitlines() == [line]
    head = re.match(r"::error (?P<properties>[^:]*?)::", line)
    assert head is not None
    names = [one.partition("=")[0] for one in head["properties"].split(",")]
    assert names == (["file", "line", "title"] if file else ["title"])
    assert re.search(r"%(?!25|0A|3A|2C)", line) is None


COMMANDS = [
    ("a message with percent and lines", {"message": "50 %\nmore"}, "::error title=t::50 %25%0Amore"),
    ("properties are kept apart", {"message": "m", "file": "a,b:c.py", "line": 3},
     "::error file=a%2Cb%3Ac.py,line=3,title=t::m"),
    ("a line without a file says nothing", {"message": "m", "line": 3}, "::error title=t::m"),
    ("a file without a line", {"message": "m", "file": "a.py"}, "::error file=a.py,title=t::m"),
    ("an escape stays an escape", {"message": "%0A"}, "::error title=t::%250A"),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "line"), [case[1:] for case in COMMANDS], ids=[case[0] for case in COMMANDS])
def test_a_workflow_command(given_: dict[str, Any], line: str) -> None:
    assert annotations.command("error", title="t", **given_) == line


def test_annotations_name_each_finding_at_its_place_and_the_verdict() -> None:
    assert annotations.render(record(HUNG)).splitlines() == [
        "::error file=train.py,line=5,title=MP101 unevaluated-update::it grows",
        "::warning file=train.py,line=6,title=MP105 retained-graph::it grows",
        "::notice file=train.py,line=4,title=MP302 hand-written-log-softmax::it grows",
        "::error title=mlxprobe train.py::hang (stall): silent for 1.1 s (1 error, 1 warning, 1 note)",
    ]
    assert annotations.render(record(watched())) == "::notice title=mlxprobe train.py::healthy: no finding\n"


JUNIT = [
    ("healthy", watched(), None),
    ("a note", watched(NOTE), None),
    ("a warning", watched(MILD), "failure"),
    ("an error", watched(GRAVE), "failure"),
    ("a hang", HUNG, "failure"),
    ("not judged", watched(outcome=Outcome.UNJUDGED), "error"),
    ("a scenario's expected hang with its finding", record_row(Outcome.HANG, findings=(GRAVE,)), None),
    ("a scenario's unexpected pass", record_row(as_expected=False), "failure"),
]


@pytest.mark.parametrize(("one", "mark"), [case[1:] for case in JUNIT], ids=[case[0] for case in JUNIT])
def test_junit_fails_a_watched_program_for_what_was_found(one: ProgramRecord, mark: str | None) -> None:
    suite = ET.fromstring(WATCH_FORMATS["junit"](record(one))).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors")) == (str(int(mark == "failure")), str(int(mark == "error")))
    assert [tag for tag in ("failure", "error") if suite.find(f"testcase/{tag}") is not None] == (
        [mark] if mark else []
    )


def test_junits_failure_is_the_diagnosis() -> None:
    failure = ET.fromstring(WATCH_FORMATS["junit"](record(HUNG))).find(".//failure")
    assert failure is not None
    assert failure.text == diagnosis.told(HUNG)
    assert failure.get("message") == verdicts.verdict(HUNG)


def log_of(*rows: ProgramRecord, **changes: Any) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(sarif.render(record(*rows, **changes)))
    return log


def check_structure(log: dict[str, Any]) -> None:
    """Check what SARIF 2.1.0 requires, and the kinds of what is given."""
    assert log["version"] == "2.1.0" and isinstance(log["runs"], list)
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        assert isinstance(driver["name"], str)
        ids = [one["id"] for one in driver["rules"]]
        assert len(set(ids)) == len(ids)
        for rule in driver["rules"]:
            assert all(rule[part]["text"] for part in ("shortDescription", "fullDescription", "help"))
            assert rule["help"]["markdown"] and rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
        for invocation in run["invocations"]:
            assert type(invocation["executionSuccessful"]) is bool
            for notification in invocation["toolExecutionNotifications"]:
                assert notification["message"]["text"]
        for result in run["results"]:
            check_result(result, ids)


def check_result(result: dict[str, Any], ids: list[str]) -> None:
    assert result["message"]["text"]
    assert result["level"] in ("none", "note", "warning", "error")
    assert "ruleIndex" not in result or ids[result["ruleIndex"]] == result["ruleId"]
    assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
    for location in result.get("locations", []):
        artifact = location["physicalLocation"]["artifactLocation"]
        assert re.fullmatch(r"[A-Za-z0-9%._~/:-]+", artifact["uri"])
        assert artifact["uri"].startswith("file:///") is ("uriBaseId" not in artifact)
        assert location["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1


def test_sarif_has_what_the_standard_requires() -> None:
    log = log_of(HUNG, watched(finding(file="/elsewhere/a b.py", line=0), finding("MP206", "", 0)))
    check_structure(log)
    assert sorted(RULES) == [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
    assert [run["automationDetails"]["id"] for run in log["runs"]] == ["mlxprobe/train.py/"] * 2


def test_sarif_places_a_finding_and_keeps_its_evidence() -> None:
    result, *_ = log_of(watched(GRAVE))["runs"][0]["results"]
    assert result["locations"] == [{"physicalLocation": {
        "artifactLocation": {"uri": "train.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 5, "snippet": {"text": "optimizer.update(model, grads)"}},
    }}]  # fmt: skip
    assert result["properties"]["evidence"] == {"operations_per_step": 1130.0, "ratio": 0.12345, "steps": 20.0}
    assert (result["ruleId"], result["level"]) == ("MP101", "error")


@pytest.mark.parametrize("file", ["", "<string>"])
def test_sarif_gives_a_finding_without_a_file_no_location(file: str) -> None:
    assert "locations" not in log_of(watched(finding(file=file)))["runs"][0]["results"][0]


ENDINGS = [
    ("healthy", watched(), {}, True),
    ("a finding", watched(GRAVE), {}, True),
    ("a hang that we ended", HUNG, {}, True),
    ("not judged", watched(outcome=Outcome.UNJUDGED), {}, False),
    ("interrupted", watched(), {"complete": False}, False),
]


@pytest.mark.parametrize(("one", "changes", "right"), [case[1:] for case in ENDINGS], ids=[case[0] for case in ENDINGS])
def test_sarif_tells_how_mlxprobe_ended(one: ProgramRecord, changes: dict[str, Any], right: bool) -> None:
    (invocation,) = log_of(one, **changes)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is right


def test_sarif_notifies_of_what_could_not_be_checked() -> None:
    run = log_of(HUNG)["runs"][0]
    told = run["invocations"][0]["toolExecutionNotifications"]
    assert [one["associatedRule"]["id"] for one in told] == ["MP201", "MP304", "MP208"]
    assert {one["ruleId"] for one in run["results"]} == {"MP101", "MP105", "MP302"}


def test_a_fingerprint_stays_when_its_line_moves_and_differs_otherwise(tmp_path: Path) -> None:
    before = sarif.fingerprint(finding())
    (tmp_path / "train.py").write_text("# one more\n\n" + SOURCE)
    assert sarif.fingerprint(finding(line=7)) == before
    others = [finding(line=8), finding("MP102", line=7), finding(file="other.py", line=7)]
    assert before not in [sarif.fingerprint(one) for one in others]


@given(st.text(st.characters(codec=None)), st.floats(), st.integers(-1, 10**6))
def test_any_text_makes_valid_sarif(text: str, value: float, line: int) -> None:
    found = finding(file=text, line=line, message=text, name=f"n{text}", evidence={text: value})
    log = sarif.render(record(watched(found, MILD, reason=text, variant=text)))
    check_structure(json.loads(log.encode(), parse_constant=pytest.fail))


@given(st.text(st.characters(codec=None)))
def test_plain_text_has_nothing_that_a_terminal_obeys(text: str) -> None:
    assert harmless(texts.plain(text))
    assert texts.one_line(text).splitlines() in ([], [texts.one_line(text)])


CAUSE = finding(line=5, message="it grows")
EFFECT = finding("MP102", line=7, message="it pays", follows="MP101", evidence={"steps": 12.0})
FURTHER = finding("MP306", line=4, message="it rests", follows="MP102")
FAMILY = watched(CAUSE, EFFECT, FURTHER)


def test_what_follows_stands_beneath_its_cause_and_in_short() -> None:
    lines = diagnosis.render(record(FAMILY)).splitlines()
    assert lines[:6] == [
        "train.py:5: MP101 error unevaluated-update: it grows",
        "        optimizer.update(model, grads)",
        "    Use instead: `mx.eval(model.parameters(), optimizer.state)` after each",
        "    update.",
        "    causes train.py:7: MP102 error deferred-stall: it pays",
        "        causes train.py:4: MP306 warning not-learning: it rests",
    ]
    assert lines[-1] == "not healthy: 2 errors, 1 warning"


def test_what_follows_from_what_was_left_out_stands_alone() -> None:
    report = diagnosis.render(record(watched(EFFECT)))
    assert report.startswith("train.py:7: MP102 error") and "steps = 12" in report and "causes train" not in report


def test_a_warning_from_which_an_error_follows_comes_before_other_warnings() -> None:
    early = finding("MP105", file="a.py", line=1)
    told = cause_groups.families([early, finding("MP104", line=9), finding(line=5, follows="MP104")])
    assert [root.code for root, _ in told] == ["MP104", "MP105"]


def test_github_has_an_annotation_for_a_cause_and_what_follows() -> None:
    lines = annotations.render(record(FAMILY)).splitlines()
    assert lines[0] == (
        "::error file=train.py,line=5,title=MP101 unevaluated-update::it grows"
        "%0Acauses train.py:7: MP102 error deferred-stall: it pays"
        "%0Acauses train.py:4: MP306 warning not-learning: it rests"
    )
    assert len(lines) == 2
    mild = watched(finding("MP104", line=9), finding(line=5, follows="MP104"))
    assert annotations.render(record(mild)).startswith("::error file=train.py,line=9,title=MP104")


def test_sarif_relates_what_follows_to_its_cause() -> None:
    results = {one["ruleId"]: one for one in json.loads(sarif.render(record(FAMILY)))["runs"][0]["results"]}
    assert "follows" not in results["MP101"]["properties"] and "relatedLocations" not in results["MP101"]
    (related,) = results["MP102"]["relatedLocations"]
    assert related["message"] == {"text": "follows from MP101 unevaluated-update"}
    assert related["physicalLocation"]["region"]["startLine"] == 5
    assert results["MP306"]["properties"]["follows"] == "MP102"


def test_html_and_junit_tell_what_follows_with_its_cause() -> None:
    page = WATCH_FORMATS["html"](record(FAMILY))
    assert page.count('class="finding ') == 1 and page.count('class="hence ') == 2
    assert "causes train.py:7: MP102 error deferred-stall: it pays" in WATCH_FORMATS["junit"](record(FAMILY))


def test_a_row_names_what_follows_after_its_cause() -> None:
    right = "MP101 unevaluated-update (causes MP102 deferred-stall, MP306 not-learning)"
    assert phrases.codes(FAMILY) == right


def unlooked(*reasons: tuple[str, str]) -> list[str]:
    return cause_groups.unchecked(
        watched(unchecked=tuple(Unchecked(code=code, name="", why=why) for code, why in reasons))
    )


def test_many_codes_that_were_not_checked_for_one_reason_are_a_number() -> None:
    blind = [
        (code, "could not look inside: it prints") for code in ("MP201", "MP203", "MP208", "MP301", "MP302", "MP303")
    ]
    assert unlooked(*blind) == ["not checked: 6 codes (could not look inside: it prints)"]


def test_what_was_not_checked_takes_two_lines_at_most() -> None:
    every = [(code, f"reason {k}") for k, code in enumerate(("MP201", "MP202", "MP208", "MP301", "MP302"))]
    assert unlooked(*every, ("MP304", "reason 2")) == [
        "not checked: MP208, MP304 (reason 2)",
        "not checked: MP201, MP202, MP301, MP302 (reason 0; reason 1; and 2 other reasons)",
    ]


def test_nothing_is_said_where_all_was_checked() -> None:
    assert cause_groups.unchecked(watched(GRAVE)) == []
    elsewhere = Unchecked(code=GRAVE.code, name=GRAVE.name, why="elsewhere")
    assert cause_groups.unchecked(watched(GRAVE, unchecked=(elsewhere,))) == []


def test_a_place_is_never_broken() -> None:
    place = "/home/somebody/venv/lib/python3.11/site-packages/a_trainer_of_another/trainer/preferences.py:449"
    assert list(breaks(f"{place}: MP101 error", 40)) == [len(place) + 2]
    assert list(breaks("four words and more", 10)) == [11]


@pytest.mark.parametrize("folder", ["a" * 90, "a folder with spaces/" + "b" * 90])
def test_a_place_longer_than_a_line_is_told_whole(folder: str) -> None:
    place = f"/{folder}/train.py"
    found = msgspec.structs.replace(GRAVE, file=place, line=9)
    text = shown(diagnosis.renderable(record(record_row(findings=(found,)))))
    assert f"{place}:9: {found.code}" in " ".join(line.strip() for line in text.splitlines())
