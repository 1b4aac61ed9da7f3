"""Exit code 0 is only for a comparison that happened: the decision, as a table, and the rows that it is made of."""

import pytest
from making import record_row

from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.upgrade.compare import compare
from mlxprobe.upgrade.decision import BAD, GOOD, UNDECIDED, decide, decide_many
from mlxprobe.upgrade.diff import Change, Comparison, Difference


def of(change: Change, name: str = "a/b", text: str = "why", allowed: str = "") -> Comparison:
    difference = Difference(what="outcome", change=change, text=text)
    return Comparison(program=name, differences=(difference,), allowed=allowed)


SAME, WORSE, UNCLEAR = Comparison(program="a/same"), of(Change.REGRESSION), of(Change.CANNOT_TELL, "a/unclear")
DECISIONS = [
    ("nothing differs", [SAME], [], {}, GOOD, ""),
    ("changed and fixed", [of(Change.CHANGED), of(Change.FIXED, "c/d")], [], {}, GOOD, ""),
    ("a regression", [SAME, WORSE], [], {}, BAD, ""),
    ("a regression that is allowed", [of(Change.REGRESSION, allowed="known")], [], {}, GOOD, ""),
    ("a regression beside what is unclear", [WORSE, UNCLEAR], ["a/unclear"], {}, BAD, ""),
    ("no programs", [], [], {}, UNDECIDED, "no program could be compared: there is none"),
    ("all unclear", [UNCLEAR], [], {}, UNDECIDED, "no program could be compared: a/unclear (why)"),
    ("all unclear and allowed", [of(Change.CANNOT_TELL, allowed="known")], [], {}, UNDECIDED, "a/b (why)"),
    ("one of many unclear", [SAME, UNCLEAR], [], {}, GOOD, ""),
    ("one that was named unclear", [SAME, UNCLEAR], ["a/unclear"], {}, UNDECIDED, "not be compared: a/unclear (why)"),
    ("one that was named not run", [SAME], ["programs/x"], {}, UNDECIDED, "programs/x (it was not run)"),
    ("many unclear", [of(Change.CANNOT_TELL, f"p/{k}") for k in range(9)], [], {}, UNDECIDED, "p/2 (why) and 6 more"),
    ("no environment", [], [], {"problem": "the disk is full"}, UNDECIDED, "the disk is full"),
    ("no wheel for this platform", [], ["programs/x"], {"skipped": "no wheel"}, GOOD, ""),
    ("no wheel, and another problem", [], [], {"skipped": "no wheel", "problem": "no index"}, UNDECIDED, "no index"),
    ("a candidate that does not import", [WORSE], ["programs/x"], {}, BAD, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "named", "given", "code", "why"), [case[1:] for case in DECISIONS], ids=[case[0] for case in DECISIONS]
)
def test_two_releases(found: list[Comparison], named: list[str], given: dict[str, str], code: int, why: str) -> None:
    decision = decide(found, named, **given)
    assert decision.exit_code == code
    assert why in decision.why
    assert bool(decision.why) is (code == UNDECIDED)


PASS, ERROR, CRASH, HANG = map(record_row, (Outcome.PASS, Outcome.ERROR, Outcome.CRASH, Outcome.HANG))
UNJUDGED, SKIPPED = record_row(Outcome.UNJUDGED), record_row(Outcome.SKIPPED)
TIMEOUT = record_row(Outcome.SLOW, as_expected=False, ended="timeout")
MEMORY = record_row(Outcome.MEMORY, as_expected=False, ended="memory")
LEAK = record_row(Outcome.MEMORY, ended="memory")  # a scenario's, which is to reach the limit
SLOWER = record_row(Outcome.SLOW, as_expected=False, ended="exited")  # than the correct loop
WITHOUT, WITHOUT_RAISES = record_row(mlx=""), record_row(Outcome.ERROR, mlx="")
UNLIKE = Change.CANNOT_TELL
ENDINGS = [
    ("both pass", PASS, PASS, (), Change.SAME),
    ("both raise", ERROR, ERROR, (), Change.SAME),
    ("both reach a limit that the scenario is to reach", LEAK, LEAK, (), Change.SAME),
    ("both are slower than the correct loop", SLOWER, SLOWER, (), Change.SAME),
    ("both reach --timeout", TIMEOUT, TIMEOUT, (), UNLIKE),
    ("both reach --memory-limit", MEMORY, MEMORY, (), UNLIKE),
    ("one limit and the other", TIMEOUT, MEMORY, (), UNLIKE),
    ("a limit, and now an error", TIMEOUT, ERROR, (), UNLIKE),
    ("an error, and now a limit", ERROR, TIMEOUT, (), UNLIKE),
    ("passes, and now reaches a limit", PASS, TIMEOUT, (), Change.REGRESSION),
    ("a limit, and now passes", MEMORY, PASS, (), Change.FIXED),
    ("unjudged on both sides", UNJUDGED, UNJUDGED, (), UNLIKE),
    ("unjudged on the baseline", UNJUDGED, PASS, (), UNLIKE),
    ("skipped on both sides", SKIPPED, SKIPPED, (), UNLIKE),
    ("never imports MLX", WITHOUT, WITHOUT, (), UNLIKE),
    ("raises before it imports MLX", WITHOUT_RAISES, WITHOUT_RAISES, (), UNLIKE),
    ("imports MLX on one side only", PASS, WITHOUT, (), UNLIKE),
    ("raises before it imports MLX, on the candidate", PASS, WITHOUT_RAISES, (), Change.REGRESSION),
    ("an ending that does not count, and no loss", PASS, ERROR, ("loss",), UNLIKE),
    ("nothing measured of what counts", record_row(losses=()), record_row(losses=()), ("loss",), UNLIKE),
    ("measured on one side", record_row(memory=()), PASS, ("peak",), UNLIKE),
    ("measured on both", PASS, PASS, ("loss", "peak"), Change.SAME),
    ("reaches --timeout, where only the loss counts", TIMEOUT, TIMEOUT, ("loss",), UNLIKE),
]


@pytest.mark.parametrize(
    ("before", "after", "aspects", "change"), [case[1:] for case in ENDINGS], ids=[case[0] for case in ENDINGS]
)
def test_the_endings_of_two_runs(
    before: ProgramRecord, after: ProgramRecord, aspects: tuple[str, ...], change: Change
) -> None:
    assert compare("a/b", [before] * 2, [after] * 2, aspects=aspects).change is change


def test_figures_of_another_machine_are_no_comparison() -> None:
    assert compare("a/b", [PASS], [PASS], same_machine=False, aspects=("time", "memory")).change is UNLIKE
    assert compare("a/b", [PASS], [PASS], same_machine=True, aspects=("time", "memory")).change is Change.SAME


NAME = PASS.name
MANY = [
    ("all give an outcome", [PASS, ERROR], [], {}, {}, GOOD, ""),
    ("a limit on one release", [PASS, TIMEOUT], [NAME], {}, {}, GOOD, ""),
    ("a limit on all", [TIMEOUT, TIMEOUT], [], {}, {}, UNDECIDED, "every run was ended by a limit"),
    ("unjudged on one", [PASS, UNJUDGED], [NAME], {}, {}, UNDECIDED, f"{NAME} (on 1: unjudged: because"),
    ("never imports MLX", [WITHOUT, WITHOUT], [], {}, {}, UNDECIDED, "its main process never imported MLX"),
    ("a release that does not import", [PASS], [], {"2.0": "ImportError"}, {}, BAD, ""),
    ("a release that cannot be made", [PASS], [], {}, {"2.0": "no index"}, UNDECIDED, "2.0 (no index)"),
    ("no release has a wheel", [], [NAME], {}, {}, GOOD, ""),
]


@pytest.mark.parametrize(
    ("found", "named", "broken", "failed", "code", "why"), [case[1:] for case in MANY], ids=[case[0] for case in MANY]
)
def test_many_releases(
    found: list[ProgramRecord], named: list[str], broken: dict[str, str], failed: dict[str, str], code: int, why: str
) -> None:
    decision = decide_many({str(k): [one] for k, one in enumerate(found)}, named, broken=broken, failed=failed)
    assert decision.exit_code == code
    assert why in decision.why


def test_a_program_that_was_not_named_may_be_unjudged_beside_another() -> None:
    other = record_row(variant="other")
    decision = decide_many({"1": [PASS, other], "2": [UNJUDGED, other]}, [other.name], broken={}, failed={})
    assert decision.exit_code == GOOD
