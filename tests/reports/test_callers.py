"""A place in an installed package, and the user's own line that led there, in every format."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from making import record, record_row, watched_row

from mlxprobe.reports import WATCH_FORMATS
from mlxprobe.runner.finding_filter import identity, known_of, quoted
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.observation import Place, Raised
from mlxprobe.schema.record import Finding, ProgramRecord
from mlxprobe.schema.record_io import decode, encode, slim


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finding:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("import trainer\n\ntrainer.fit()\n")
    Path("venv/trainer").mkdir(parents=True)
    Path("venv/trainer/loop.py").write_text("optimizer.update(model, grads)\n")
    return quoted(
        Finding(
            code="MP101", name="unevaluated-update", severity=Severity.ERROR, message="it grows",
            file=str(tmp_path / "venv/trainer/loop.py"), line=1,
            caller=Place(file=str(tmp_path / "train.py"), line=3),
        )
    )  # fmt: skip


def told(found: Finding, form: str) -> str:
    raised = Raised(type="ValueError", message="m", file=found.file, line=1, caller=found.caller)
    return str(WATCH_FORMATS[form](record(watched_row(Outcome.ERROR, findings=(found,), raised=raised))))


def test_text_and_junit_name_both_lines(found: Finding) -> None:
    failure = ET.fromstring(told(found, "junit")).find(".//failure")
    assert failure is not None
    for lines in (told(found, "text").splitlines(), (failure.text or "").splitlines()):
        assert lines[:3] == [
            "venv/trainer/loop.py:1: MP101 error unevaluated-update: it grows",
            "        optimizer.update(model, grads)",
            "    called from train.py:3: trainer.fit()",
        ]
        assert "raised at venv/trainer/loop.py:1, called from train.py:3" in lines


def test_github_shows_the_users_own_line(found: Finding) -> None:
    assert told(found, "github").splitlines()[0] == (
        "::error file=train.py,line=3,title=MP101 unevaluated-update::"
        "it grows%0Ain venv/trainer/loop.py:1, called from here"
    )
    assert told(found, "github").splitlines()[1].startswith("::error file=train.py,line=3,")


def test_sarif_has_the_users_own_line_and_the_packages_beside_it(found: Finding) -> None:
    (result,) = json.loads(told(found, "sarif"))["runs"][0]["results"]
    own, package = (result[name][0]["physicalLocation"] for name in ("locations", "relatedLocations"))
    assert own["artifactLocation"]["uri"] == "train.py"
    assert own["region"] == {"startLine": 3, "snippet": {"text": "trainer.fit()"}}
    assert package["artifactLocation"]["uri"] == "venv/trainer/loop.py"
    assert package["region"] == {"startLine": 1, "snippet": {"text": "optimizer.update(model, grads)"}}


def test_html_names_both_lines(found: Finding) -> None:
    page = told(found, "html")
    assert "at <code>venv/trainer/loop.py:1</code>" in page
    assert 'called from <code>train.py:3</code></p><pre class="line">trainer.fit()</pre>' in page


def test_a_record_keeps_the_caller_and_a_slim_one_its_file_alone(found: Finding) -> None:
    whole = record(record_row(findings=(found,)))
    assert decode(encode(whole), "a.json") == whole
    (one,) = slim(whole).programs
    assert isinstance(one, ProgramRecord)
    assert one.findings[0].caller == Place(file="train.py", line=3, source="trainer.fit()")


def test_a_baseline_knows_a_package_that_lies_elsewhere_by_the_users_own_file(found: Finding, tmp_path: Path) -> None:
    elsewhere = msgspec.structs.replace(
        found, file="/ci/venv/trainer/loop.py", caller=Place(file="/ci/train.py", line=7)
    )
    assert known_of(record(record_row(findings=(elsewhere,))), tmp_path) == {identity(found, tmp_path)}
