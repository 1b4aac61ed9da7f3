"""How gates and bisections end, without another release of MLX: a record, or an index of our own, is the other side."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from making import HERE, record, record_row
from wheels import wheel

from mlxprobe.cli import main
from mlxprobe.releases import index
from mlxprobe.supervisor import interpreter
from mlxprobe.values.files import encode
from mlxprobe.values.record import Record
from mlxprobe.values.vocabulary import Outcome, Role

SCENARIO = '''
"""One loop raises.

Symptom: it raises. Cause: it is told to. Fix: tell it not to.
"""
from mlxprobe import Outcome, Scenario

probe = Scenario()


@probe.correct
def fine():
    """Do nothing."""


@probe.broken(expects=Outcome.ERROR)
def raises():
    """Raise."""
    raise ValueError("broken since then")
'''
PROGRAM = "gated/raises"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with a scenario that raises, and the record of a release where it passed."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gated.py").write_text(SCENARIO.lstrip())
    (tmp_path / "pyproject.toml").write_text('[tool.mlxprobe]\nscenarios = ["mine"]\n')
    (tmp_path / "old.json").write_bytes(encode(passed()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def passed() -> Record:
    rows = [
        record_row(scenario="gated", variant="fine", role=Role.CORRECT, losses=(), memory=(), samples=(), step_s=()),
        record_row(Outcome.PASS, scenario="gated", variant="raises", losses=(), memory=(), samples=(), step_s=()),
    ]
    return record(*rows, environment=interpreter.usable())


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["gate", "--baseline", "old.json", "--scenario", "gated", *arguments])


ALLOWING = [
    ("nothing allowed", [], "", 1, "1 regression"),
    ("the program", ["--allow", f"{PROGRAM}=known"], "", 0, "allowed: known"),
    ("the aspect", ["--allow", f"{PROGRAM}:outcome=known"], "", 0, "allowed: known"),
    ("another aspect", ["--allow", f"{PROGRAM}:time=known"], "", 1, "1 regression"),
    ("a program that did not run", ["--allow", "gone/*=known"], "", 1, "gone/*=known: matches no program that ran"),
    ("the project allows it", [], f'"{PROGRAM}:outcome" = "known there"', 0, "allowed: known there"),
    ("the project's line for another program is quiet", [], '"gone/*" = "known"', 1, "1 regression"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "line", "code", "words"), [case[1:] for case in ALLOWING], ids=[case[0] for case in ALLOWING]
)
def test_what_is_allowed(flags: list[str], line: str, code: int, words: str, project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write(f"[tool.mlxprobe.allow]\n{line}\n")
    done = gate(*flags)
    assert done.exit_code == code, done.output
    assert words in done.output
    assert ("matches no program" in done.output) is ("matches no program" in words)
    assert [text for text in done.stdout.splitlines() if text != text.rstrip()] == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json", "markdown", "junit", "github"])
def test_a_candidate_that_cannot_be_installed_is_skipped_with_its_reason(form: str, project: Path, index: Path) -> None:
    done = gate("--candidate", "2.0.0", "--format", form)
    assert done.exit_code == 0, done.output
    assert "mlx 2.0.0 installs but does not import: ImportError: libmlx.so" in done.stdout
    kept = json.loads((project / "reports" / "latest-choice" / "gate.json").read_text())
    assert "libmlx.so" in kept["skipped"]


@pytest.mark.slow
def test_a_baseline_that_cannot_be_installed_is_skipped_too(project: Path, index: Path) -> None:
    done = CliRunner().invoke(main, ["gate", "--baseline", "2.0.0", "--scenario", "gated"])
    assert done.exit_code == 0, done.output
    assert "2.0.0 → current: skipped: mlx 2.0.0 installs but does not import" in done.stdout


@pytest.mark.slow
def test_a_candidate_that_does_not_exist_is_wrong_usage(project: Path, index: Path) -> None:
    done = gate("--candidate", "3.0.0")
    assert done.exit_code == 2
    assert done.output == "mlxprobe: there is no release 3.0.0 of MLX; the index has 1.0.0, 2.0.0\n"


@pytest.mark.slow
def test_a_requirement_that_cannot_be_met_is_not_skipped(project: Path, index: Path) -> None:
    wheel(index, "picky", "1.0", {"picky.py": ""}, "Requires-Dist: mlx>=2\n")
    done = gate("--candidate", "1.0.0", "--requirements", "picky")
    assert done.exit_code == 2
    assert done.output.startswith("mlxprobe: mlx 1.0.0 cannot be installed with the requirements picky: ")
    assert len(done.output.splitlines()) == 1


OTHERS = [
    ("truncated", encode(record())[:200], "old.json: not a whole mlxprobe record"),
    ("of another schema", b'{"schema_version": 7}', "old.json: record of schema version 7; this mlxprobe reads"),
    ("of another device", encode(record(environment=msgspec.structs.replace(HERE, device="gpu"))),
     "the baseline is of the device gpu, these runs are of cpu; a baseline of the same device is right"),
    ("of an interrupted run", encode(record(complete=False)), "the record of an interrupted run"),
    ("gone", None, "old.json: cannot be read: No such file"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("data", "words"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
def test_a_baseline_that_cannot_be_used_is_told(data: bytes | None, words: str, project: Path) -> None:
    (project / "old.json").unlink()
    if data is not None:
        (project / "old.json").write_bytes(data)
    done = gate()
    assert done.exit_code == 2
    assert words in done.output
    assert len(done.output.splitlines()) == 1


ENDS = [
    ("equal", ["--good", "0.31.2", "--bad", "0.31.2"], "--good and --bad are both 0.31.2"),
    ("swapped", ["--good", "0.32.0", "--bad", "0.31.2"], "wrong way round: swap them, or use --find-fix"),
    ("a fix, swapped", ["--good", "0.31.2", "--bad", "0.32.0", "--find-fix"], "leave --find-fix out"),
    ("an interpreter", ["--good", "current", "--bad", "0.32.0"], "current is not a release of the index"),
]


@pytest.mark.parametrize(("ends", "words"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_ends_that_make_no_bisection_are_told(
    ends: list[str], words: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "listed", lambda: ["0.31.2", "0.32.0"])
    done = CliRunner().invoke(main, ["bisect", *ends, "--scenario", PROGRAM])
    assert done.exit_code == 2
    assert words in done.output
    assert len(done.output.splitlines()) == 1
