"""The pytest plugin, in a pytest of its own."""

from pathlib import Path

import pytest
from making import scenario

pytestmark = pytest.mark.slow
OWN = Path(__file__).parents[2] / "scenarios"


def test_an_item_per_variant_from_any_rootdir(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--collect-only", "-q", str(OWN))
    result.stdout.fnmatch_lines(["*step2_hang.py::nothing_evaluated"])


def test_naming_the_file_itself_does_not_import_it(pytester: pytest.Pytester) -> None:
    file = scenario(pytester.path, "harmless")
    file.write_text(file.read_text().replace("import mlx.core", "raise SystemExit('imported')"))
    pytester.runpytest_subprocess("--collect-only", "-q", str(file)).stdout.fnmatch_lines(["harmless.py::wrong"])


def test_an_unexpected_outcome_fails_with_its_evidence(pytester: pytest.Pytester) -> None:
    file = scenario(pytester.path, "surprise")
    file.write_text(file.read_text().replace("    pass", "    [].pop()"))
    result = pytester.runpytest_subprocess(str(file), "-k", "wrong", "--junitxml=out.xml")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["surprise/wrong: expected pass, observed error", "*IndexError: pop from empty list*"])
    assert "IndexError" in (pytester.path / "out.xml").read_text()


def test_a_broken_scenario_file_fails_alone(pytester: pytest.Pytester) -> None:
    scenario(pytester.path, "fine")
    (pytester.path / "ruined.py").write_text("x = 1\nprobe = Scenario(\n")
    result = pytester.runpytest_subprocess("--continue-on-collection-errors", str(pytester.path))
    result.assert_outcomes(passed=2, errors=1)


def test_variants_run_under_xdist_and_have_a_timeout_of_their_own(pytester: pytest.Pytester) -> None:
    scenario(pytester.path, "fine")
    pytester.runpytest_subprocess("-n", "2", str(pytester.path)).assert_outcomes(passed=2)


def test_other_files_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_plain="def test_it():\n    probe = 1\n", library="raise SystemExit")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
