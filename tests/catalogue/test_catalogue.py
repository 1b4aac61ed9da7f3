"""The registry: every scenario and finding is whole, named once, and documented."""

import os
import re
from pathlib import Path

import pytest
from making import scenario

from mlxprobe.catalogue import discovery
from mlxprobe.catalogue.discovery import Entry
from mlxprobe.diagnosis import RULES
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Environment
from mlxprobe.verdict.expectation import expectation_of, expected_outcome

ENTRIES, BROKEN = discovery.find()
HERE = Environment(python="3.12", executable="python", platform="Linux", mlx="0.32.4", device="cpu", devices=("cpu",))


def test_every_file_of_our_own_folder_is_a_scenario() -> None:
    assert not BROKEN
    assert len(ENTRIES) >= 1


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_scenario_is_whole(entry: Entry) -> None:
    assert [one.role for one in entry.variants].count(Role.CORRECT) == 1
    assert len(entry.variants) >= 2
    assert entry.title
    for section in discovery.SECTIONS:
        assert entry.section(section), f"{entry.file}: no paragraph {section}:"
    for variant in entry.variants:
        assert variant.summary, f"{entry.name}/{variant.name} has no docstring"
        assert variant.claims is None or variant.says, f"{entry.name}/{variant.name} claims without saying what"
        assert set(variant.finds) <= RULES.keys()
    assert len(entry.file.read_text().splitlines()) <= 80


def test_a_finding_is_shown_by_a_broken_loop() -> None:
    """A scenario shows it; of the defects that one code held before, a program of the corpus does."""
    shown = {code for entry in ENTRIES for one in entry.variants if one.role is not Role.CORRECT for code in one.finds}
    programs = (Path(__file__).parents[1] / "programs" / "faulty").glob("mp*.py")
    assert RULES.keys() - shown - {file.name.partition("_")[0].upper() for file in programs} == set()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
@pytest.mark.parametrize("release", ["0.26.5", "0.28.0", "0.29.4", "0.30.6", "0.31.2", "0.32.0", "0.32.4", "0.33.0"])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_an_expectation_holds_for_every_release_and_device(entry: Entry, release: str, device: str) -> None:
    here = Environment(python="3.12", executable="python", platform="Linux", mlx=release, device=device)
    for variant in entry.variants:
        expectation_of(entry.scenario, variant, here)


@pytest.mark.parametrize("code", sorted(RULES))
def test_a_finding_has_a_page_with_example_and_advice(code: str) -> None:
    assert re.fullmatch(r"MP\d{3}", code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", RULES[code].name)
    assert "Example:" in RULES[code].page
    assert "Use instead:" in RULES[code].page


def test_bodies_are_not_run_when_declarations_are_read(tmp_path: Path) -> None:
    file = scenario(tmp_path, "harmless", body="    raise SystemExit(9)")
    assert [one.name for one in discovery.read(file).variants] == ["right", "wrong"]


def test_one_broken_file_hides_no_other(tmp_path: Path) -> None:
    scenario(tmp_path, "good_one")
    (tmp_path / "bad_one.py").write_text("def broken(:\n")
    (tmp_path / "no_probe.py").write_text("x = 1\n")
    (tmp_path / "_helper.py").write_text("x = (\n")
    entries, broken = discovery.find([str(tmp_path)])
    assert "good-one" in [entry.name for entry in entries]
    assert [one.file.name for one in broken] == ["bad_one.py", "no_probe.py"]
    assert "bad_one.py:1: " in broken[0].problem
    assert "has no line `probe = Scenario(...)`" in broken[1].problem


def test_two_scenarios_of_one_name_are_told(tmp_path: Path) -> None:
    scenario(tmp_path, "step2_hang")
    entries, broken = discovery.find([str(tmp_path)])
    assert len(entries) == len(ENTRIES)
    assert "step2-hang is taken by" in broken[0].problem


def test_a_scenario_without_a_correct_loop_is_told(tmp_path: Path) -> None:
    file = scenario(tmp_path, "lost", first="@probe.broken(expects=Outcome.PASS)")
    with pytest.raises(UsageError, match="0 variants marked"):
        discovery.read(file)


def test_our_own_folder_given_again_changes_nothing() -> None:
    entries, broken = discovery.find([str(discovery.own_folder())])
    assert (len(entries), broken) == (len(ENTRIES), [])


def test_a_folder_that_does_not_exist_is_told() -> None:
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        discovery.find(["nowhere"])


SELECTIONS = [
    ("a name", ["step2-hang"], {"step2-hang"}),
    ("a file's name does too", ["step2_hang"], {"step2-hang"}),
    ("a glob", ["step2-*"], {"step2-hang"}),
]


@pytest.mark.parametrize(("patterns", "names"), [case[1:] for case in SELECTIONS], ids=[case[0] for case in SELECTIONS])
def test_select(patterns: list[str], names: set[str]) -> None:
    assert {entry.name for entry, _ in discovery.select(ENTRIES, patterns)} == names


def test_select_one_variant() -> None:
    ((_, variants),) = discovery.select(ENTRIES, ["step2-hang/nothing_evaluated"])
    assert [one.name for one in variants] == ["nothing_evaluated"]


def test_a_mistyped_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no scenario is called 'step2-hnag'; did you mean 'step2-hang'\?"):
        discovery.select(ENTRIES, ["step2-hnag"])


EXPECTS = [
    ("one outcome for all", Outcome.PASS, "0.32.4", "cpu", Outcome.PASS),
    ("an older release", {"mlx<0.32": Outcome.PASS, "mlx>=0.32": Outcome.ERROR}, "0.31.2", "cpu", Outcome.PASS),
    ("a newer release", {"mlx<0.32": Outcome.PASS, "mlx>=0.32": Outcome.ERROR}, "0.32.0", "cpu", Outcome.ERROR),
    ("a device", {"gpu": Outcome.CRASH, "cpu": Outcome.HANG}, "0.32.4", "gpu", Outcome.CRASH),
    ("both", {"gpu mlx<0.3": Outcome.CRASH, "else": Outcome.HANG}, "0.32.4", "gpu", Outcome.HANG),
]


@pytest.mark.parametrize(("expects", "mlx", "device", "outcome"), [c[1:] for c in EXPECTS], ids=[c[0] for c in EXPECTS])
def test_expected_outcome(expects: object, mlx: str, device: str, outcome: Outcome) -> None:
    here = Environment(python="3.12", executable="python", platform="Linux", mlx=mlx, device=device)
    assert expected_outcome(expects, here) is outcome  # type: ignore[arg-type]


def test_conditions_that_cover_nothing_are_told() -> None:
    with pytest.raises(UsageError, match=r"covers neither MLX 0\.32\.4 nor cpu"):
        expected_outcome({"gpu": Outcome.PASS}, HERE)


def test_a_pipe_among_scenarios_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (one,) = discovery.find([str(tmp_path)])[1]
    assert one.problem == f"{tmp_path / 'pipe.py'}: is no file"
