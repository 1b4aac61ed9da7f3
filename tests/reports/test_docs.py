"""The pages that write themselves: all of them, whole, true to the records, and built without a warning."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from making import record, record_row, seen
from watching import GUARD_S

from mlxprobe.catalogue import discovery
from mlxprobe.cli import main
from mlxprobe.cli.docs import commands, words
from mlxprobe.diagnosis import RULES
from mlxprobe.pytest_plugin.marker import ARGUMENTS, Wanted
from mlxprobe.reports.docs import Material, Source, code_families, markdown, pages, reference
from mlxprobe.reports.docs.schema import told
from mlxprobe.schema.enums import HangKind, Live, Outcome, Role, Severity
from mlxprobe.schema.live import Attached
from mlxprobe.schema.record import Finding, Record
from mlxprobe.schema.record_io import encode, load
from mlxprobe.settings.table import TABLE

ROOT = Path(__file__).parents[2]
BASELINES = [load(file) for file in sorted((ROOT / "reports" / "baselines").glob("*.json"))]
ENTRIES = discovery.find()[0]


def material(*records: Record) -> Material:
    return Material(
        sources=[Source(one, one.file.read_text()) for one in ENTRIES],
        rules=[RULES[code] for code in sorted(RULES)],
        records=records,
        commands=commands(),
        settings=TABLE,
        schema=msgspec.json.schema(Record),
        live_schema=msgspec.json.schema(Attached),
        words=words(),
    )


PAGES = pages(material(*BASELINES))


def test_every_scenario_and_code_has_a_page_in_the_navigation() -> None:
    for folder, names in (("scenarios", [one.name for one in ENTRIES]), ("findings", [c.lower() for c in RULES])):
        first, *rest = json.loads(PAGES[f"{folder}/nav.json"])
        listed = [page for group in rest for found in group.values() for page in found]
        assert first == "index.md"
        assert sorted(listed) == sorted(f"{name}.md" for name in names)
        assert all(f"{folder}/{page}" in PAGES for page in listed)


@pytest.mark.parametrize("code", sorted(RULES))
def test_a_finding_has_a_whole_page(code: str) -> None:
    page = PAGES[f"findings/{code.lower()}.md"]
    for part in ("## What it detects", "## Why it matters", '"Example"', '"Use instead"', "## Where it is shown"):
        assert part in page, part
    assert code_families.of_code(code) != code_families.OTHER


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_scenario_has_a_whole_page(entry: discovery.Entry) -> None:
    page = PAGES[f"scenarios/{entry.name}.md"]
    for part in ('"Symptom"', '"Cause"', '"Fix"', "## The whole file", *entry.scenario.documents):
        assert part in page, part
    for variant in entry.variants:
        assert f"{{ #{variant.name} }}" in page


def test_a_link_between_pages_leads_somewhere() -> None:
    for path, text in PAGES.items():
        for target, place in re.findall(r"\]\(\.\./([\w/.-]+?\.md)(?:#([\w-]+))?\)", text):
            assert target in PAGES, (path, target)
            assert not place or f"{{ #{place} }}" in PAGES[target], (path, target, place)


def test_no_page_has_a_figure_of_nowhere() -> None:
    bare = pages(material())
    assert bare.keys() == PAGES.keys()
    assert "MLX 0." not in bare["scenarios/step2-hang.md"]
    assert "expected: pass" in bare["scenarios/step2-hang.md"]


def test_releases_and_devices_are_those_of_the_records() -> None:
    found = Finding(code="MP101", name="unevaluated-update", severity=Severity.ERROR, message="it grows")
    kinds = [Outcome.HANG, Outcome.PASS, Outcome.HANG, Outcome.HANG]
    records = []
    for minor, outcome in enumerate(kinds):
        row = record_row(outcome, scenario="step2-hang", variant="nothing_evaluated", findings=(found,))
        row = row if outcome is Outcome.HANG else msgspec.structs.replace(row, findings=())
        records.append(record(row, environment=msgspec.structs.replace(record().environment, mlx=f"0.{minor + 9}")))
    made = pages(material(*records[::-1]))
    place = "CPU 0.9, 0.11 – 0.12"
    assert place in made["findings/mp101.md"]
    assert "**hang** on CPU 0.9; pass on CPU 0.10; **hang** on CPU 0.11 – 0.12" in made["scenarios/step2-hang.md"]


TEXTS = [
    ("Markdown's own characters", "a < b, *x* and [y]", r"a \< b, \*x\* and \[y\]"),
    ("code stays code", "use `a[0] < *b`", "use `a[0] < *b`"),
    ("a code leads to its page", "see MP101", "see [MP101](../findings/mp101.md)"),
    ("but not inside code", "`explain MP101`", "`explain MP101`"),
]


@pytest.mark.parametrize(("text", "shown"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_prose(text: str, shown: str) -> None:
    assert markdown.prose(text) == shown


def test_every_word_has_its_meaning() -> None:
    assert set(reference.MEANINGS) == {*Outcome, *HangKind, *Live, *Role}


def test_every_command_setting_and_argument_is_in_the_reference() -> None:
    for name, command in main.every_command().items():
        assert f"\n## {name}\n" in PAGES["reference/cli.md"]
        for option in command.params:
            assert option.param_type_name == "argument" or option.opts[0] in PAGES["reference/cli.md"]
    assert all(f"`{one.variable}`" in PAGES["reference/settings.md"] for one in TABLE)
    assert all(f"`{name}`" in PAGES["reference/python.md"] for name in ARGUMENTS)
    assert f"(default: {Wanted.stall_s:g})" in ARGUMENTS["stall_s"]
    assert f"(default: {Wanted.timeout_s:g})" in ARGUMENTS["timeout_s"]


def test_records_follow_their_schema() -> None:
    schema = told(msgspec.json.schema(Record))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    losses = tuple(msgspec.structs.replace(one, value=float("nan")) for one in seen().losses)
    for one in (record(record_row(losses=losses, score=float("inf"))), BASELINES[-1]):
        validator.validate(json.loads(encode(one)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"schema_version": 1})


def test_docs_writes_the_pages(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["docs", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert {file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.*")} == set(PAGES)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("material"), reason="MkDocs Material is in the extra `docs`")
def test_mkdocs_builds_them_without_a_warning(tmp_path: Path) -> None:
    for name in ("mkdocs.yml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "docs" / "guide", tmp_path / "build" / "docs")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "hooks.py", tmp_path / "docs")
    for path, text in PAGES.items():
        file = tmp_path / "build" / "docs" / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"],
        cwd=tmp_path, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=GUARD_S,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    site = "".join(file.read_text() for file in (tmp_path / "build" / "site").rglob("*.html"))
    assert "fonts.googleapis" not in site
