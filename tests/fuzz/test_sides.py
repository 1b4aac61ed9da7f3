"""Random programs in a gate: what only the candidate shows is a regression."""

import msgspec

from mlxprobe.fuzz.finding import Finding, FuzzReport
from mlxprobe.fuzz.sides import comparisons
from mlxprobe.upgrade.diff import Change, regressions

OLD, NEW = "0.31.2", "0.32.4"


def finding(operation: str, *releases: str, proved: bool = True, accepted: str = "") -> Finding:
    return Finding(
        operation=operation, oracle="value", kind="numbers", message="1 for 2", case=f"{operation}:0:0", cases=1,
        releases=releases, proved=proved, accepted=accepted,
    )  # fmt: skip


def changes(*findings: Finding, compared: int = 9) -> dict[str, Change]:
    report = FuzzReport(
        schema_version=1, seed=0, programs=9, compared=compared, environments=(), names=(OLD, NEW), findings=findings
    )
    return {one.program: one.change for one in comparisons(report)}


def test_what_is_new_is_a_regression_and_what_is_gone_is_fixed() -> None:
    assert changes(finding("sin", NEW), finding("cos", OLD)) == {
        "random/sin:0:0": Change.REGRESSION,
        "random/cos:0:0": Change.FIXED,
        "random/7 other programs": Change.SAME,
    }


def test_what_both_show_or_is_accepted_is_no_row() -> None:
    assert changes(finding("sin", OLD, NEW), finding("erf", NEW, accepted="a polynomial")) == {
        "random/9 other programs": Change.SAME
    }


def test_programs_that_gave_no_outcome_on_both_sides_are_no_comparison() -> None:
    assert changes(finding("sin", OLD, NEW), compared=0) == {"random/9 other programs": Change.CANNOT_TELL}


def test_a_difference_that_no_reference_judges_stops_no_upgrade() -> None:
    report = FuzzReport(
        schema_version=1, seed=0, programs=1, environments=(), names=(OLD, NEW),
        findings=(finding("random.randint", NEW, proved=False),),
    )  # fmt: skip
    assert regressions(comparisons(report)) == []


def test_what_one_program_shows_twice_is_one_row() -> None:
    twice = [finding("sin", NEW), msgspec.structs.replace(finding("sin", NEW), oracle="vmap")]
    assert changes(*twice) == {"random/sin:0:0": Change.REGRESSION, "random/8 other programs": Change.SAME}
