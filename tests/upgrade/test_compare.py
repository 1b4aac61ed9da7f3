"""The comparison of two releases: what counts, what is noise, and that both sides are treated alike."""

import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import record_row

from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.observation import Limits, MlxSample, Raised, Reading, Sample
from mlxprobe.schema.record import Finding, ProgramRecord
from mlxprobe.upgrade.compare import compare
from mlxprobe.upgrade.diff import Change, Comparison
from mlxprobe.upgrade.metric_comparison import ENOUGH_RUNS
from mlxprobe.verdict.rows import worst

PASS, ERROR, HANG = record_row(), record_row(Outcome.ERROR), record_row(Outcome.HANG)
FAILED = record_row(Outcome.ERROR, as_expected=False)  # a full disk, say
UNSTEADY = worst([record_row(Outcome.ERROR, as_expected=False), PASS, PASS])
LEAK = Finding(code="MP103", name="memory-growth", severity=Severity.WARNING, message="grows")
NOTE = Finding(code="MP302", name="hand-written-log-softmax", severity=Severity.NOTE, message="by hand")


def with_steps(step_s: float, **changes: object) -> ProgramRecord:
    return record_row(step_s=(step_s,) * 12, **changes)  # type: ignore[arg-type]


def with_peak(count: int) -> ProgramRecord:
    return record_row(memory=(MlxSample(t_s=1.0, active_bytes=0, cache_bytes=0, peak_bytes=count),))


def with_losses(*values: float) -> ProgramRecord:
    return record_row(losses=tuple(Reading(step=n, value=value) for n, value in enumerate(values, 1)))


def with_growth(count: int) -> ProgramRecord:
    return record_row(samples=tuple(Sample(t_s=t, rss_bytes=10**8 + t * count // 9, cpu_s=0) for t in range(10)))


def raising(message: str) -> ProgramRecord:
    return record_row(Outcome.ERROR, raised=Raised(type="ValueError", message=message))


def noisy(step_s: float, seed: int) -> list[ProgramRecord]:
    """Return runs whose step times scatter by 10 % and now and then by much more, as on a shared machine."""
    chance = random.Random(seed)
    scale = [chance.choice([1.0] * 9 + [2.0]) * chance.uniform(0.95, 1.05) for _ in range(ENOUGH_RUNS + 1)]
    return [with_steps(step_s * factor) for factor in scale]


pytestmark = pytest.mark.slow  # the import of SciPy alone takes longer than 0.25 s
MANY = ENOUGH_RUNS + 1
CASES = [
    ("the same twice", [PASS], [PASS], Change.SAME),
    ("fails on both sides, against what it expects", [FAILED] * 2, [FAILED] * 2, Change.CANNOT_TELL),
    ("fails on one side, against what it expects", [PASS] * 2, [FAILED] * 2, Change.REGRESSION),
    ("passes, now raises", [PASS] * 2, [ERROR] * 2, Change.REGRESSION),
    ("raises, now passes", [ERROR] * 2, [PASS] * 2, Change.FIXED),
    ("raises, now hangs", [ERROR] * 2, [HANG] * 2, Change.CHANGED),
    ("one run of each is a suspicion", [PASS], [ERROR], Change.SAME),
    ("passes, now fails now and then", [PASS] * 3, [PASS, ERROR, PASS], Change.REGRESSION),
    ("the same in fewer runs is a suspicion", [PASS] * 2, [PASS, ERROR], Change.SAME),
    ("passes, now fails in one of the runs of a row", [PASS] * 3, [UNSTEADY], Change.REGRESSION),
    ("failed now and then before", [PASS, ERROR, PASS], [PASS] * 3, Change.CANNOT_TELL),
    ("fails now and then on both sides", [PASS, ERROR, PASS], [PASS, PASS, ERROR], Change.CANNOT_TELL),
    ("not judged on one side", [PASS], [record_row(Outcome.UNJUDGED)], Change.CANNOT_TELL),
    ("gone from the candidate", [PASS], [], Change.CANNOT_TELL),
    ("a finding gained", [PASS] * 2, [record_row(findings=(LEAK,))] * 2, Change.REGRESSION),
    ("a finding lost", [record_row(findings=(LEAK,))] * 2, [PASS] * 2, Change.FIXED),
    ("a note gained", [PASS] * 2, [record_row(findings=(NOTE,))] * 2, Change.CHANGED),
    ("a finding of some runs only", [PASS] * 3, [record_row(findings=(LEAK,)), PASS, PASS], Change.SAME),
    ("a loss path that ends higher", [with_losses(4, 3, 2)] * 2, [with_losses(4, 3.1, 2.5)] * 2, Change.REGRESSION),
    ("the same in one run is a suspicion", [with_losses(4, 3, 2)], [with_losses(4, 3.1, 2.5)], Change.SAME),
    ("losses that differ from run to run", [with_losses(4, 3, 2), with_losses(4, 2, 3)],
     [with_losses(4, 3.1, 2.5), with_losses(4, 3.1, 3.5)], Change.CANNOT_TELL),
    ("a candidate whose losses differ from run to run", [with_losses(4, 3, 2)] * 2,
     [with_losses(4, 3.1, 2.1), with_losses(4, 3.1, 3.5)], Change.CANNOT_TELL),
    ("paths that differ from run to run, and end alike", [with_losses(4, 3, 2), with_losses(4, 2.5, 2)],
     [with_losses(4, 3.2, 2), with_losses(4, 3.4, 2)], Change.SAME),
    ("far above what differs from run to run", [with_losses(4, 3, 2 + k / 10) for k in range(5)],
     [with_losses(4, 3, 7 + k / 10) for k in range(5)], Change.REGRESSION),
    ("far above it in few runs is a suspicion", [with_losses(4, 3, 2 + k / 10) for k in range(2)],
     [with_losses(4, 3, 7 + k / 10) for k in range(2)], Change.SAME),
    ("far below it", [with_losses(4, 3, 7 + k / 10) for k in range(5)],
     [with_losses(4, 3, 2 + k / 10) for k in range(5)], Change.FIXED),
    ("the largest losses that there are", [with_losses(4, *[1e308] * 9)] * 2, [with_losses(4, *[1.5e308] * 9)] * 2,
     Change.REGRESSION),
    ("infinite losses of both signs", [with_losses(4, 4, 4, 4, math.inf, -math.inf)] * 2,
     [with_losses(4, 4, 4, 4, 3, 3)] * 2, Change.REGRESSION),
    ("a loss path that ends lower", [with_losses(4, 3, 2)] * 2, [with_losses(4, 2.9, 1.5)] * 2, Change.FIXED),
    ("a loss path that ends where it did", [with_losses(4, 3, 2)] * 2, [with_losses(4, 3.1, 2)] * 2, Change.CHANGED),
    ("what is left of a loss once all is learned", [with_losses(4, 1, 3e-7)], [with_losses(4, 1, 5e-7)], Change.SAME),
    ("a loss path within the tolerance", [with_losses(4, 3)], [with_losses(4, 3.001)], Change.SAME),
    ("NaN where NaN was", [with_losses(4, float("nan"))], [with_losses(4, float("nan"))], Change.SAME),
    ("another exception text", [raising("bad shape")], [raising("bad axis")], Change.CHANGED),
    ("another address in the text", [raising("at 0x1f in /a/b.py")], [raising("at 0x2e in /c/b.py")], Change.SAME),
    ("1.3 × the peak", [with_peak(100_00000)] * MANY, [with_peak(130_00000)] * MANY, Change.REGRESSION),
    ("1.1 × the peak", [with_peak(100_00000)] * MANY, [with_peak(110_00000)] * MANY, Change.SAME),
    ("resident memory grows by 100 MB", [with_growth(10**6)] * MANY, [with_growth(10**8)] * MANY, Change.REGRESSION),
    ("resident memory grows by 4 MB", [with_growth(10**6)] * MANY, [with_growth(4 * 10**6)] * MANY, Change.SAME),
    ("steps 20 % slower", [with_steps(0.01)] * MANY, [with_steps(0.012)] * MANY, Change.REGRESSION),
    ("steps 20 % faster", [with_steps(0.012)] * MANY, [with_steps(0.01)] * MANY, Change.FIXED),
    ("steps 5 % slower", [with_steps(0.01)] * MANY, [with_steps(0.0105)] * MANY, Change.SAME),
    ("one slower run is a suspicion", [with_steps(0.01)], [with_steps(0.02)], Change.SAME),
    ("a hang's step time does not count", [with_steps(0.01, outcome=Outcome.HANG)] * MANY,
     [with_steps(0.03, outcome=Outcome.HANG)] * MANY, Change.SAME),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "change"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_change(before: list[ProgramRecord], after: list[ProgramRecord], change: Change) -> None:
    assert compare("toy", before, after).change is change


def test_a_suspicion_asks_for_more_runs() -> None:
    assert compare("toy", [PASS], [ERROR]).suspected
    assert not compare("toy", [PASS] * 2, [ERROR] * 2).suspected


def test_across_machines_time_and_resident_memory_are_advice_and_outcomes_decide_alone() -> None:
    slower = compare("toy", [with_steps(0.01)] * MANY, [with_steps(0.02)] * MANY, same_machine=False)
    assert slower.change is Change.SAME
    assert slower.differences[0].advice
    assert compare("toy", [PASS], [ERROR] * 2, same_machine=False).change is Change.REGRESSION


def test_losses_that_differ_from_run_to_run_count_only_where_losses_do() -> None:
    before, after = [with_losses(4, 3, 2), with_losses(4, 2, 3)], [with_losses(4, 3, 4), with_losses(4, 2, 1)]
    told = compare("toy", before, after)
    assert "the baseline's own runs differ" in told.differences[0].text
    assert compare("toy", before, after, aspects=("outcome", "peak")).change is Change.SAME


def limited(limit: Limits, outcome: Outcome, ended: str) -> ProgramRecord:
    return record_row(outcome, as_expected=outcome is Outcome.PASS, ended=ended, limits=limit)


WIDE = Limits(stall_s=9, startup_s=9, timeout_s=60, memory_bytes=10**9)
NARROWED = [
    ("a narrower memory limit", {"memory_bytes": 10**7}, Outcome.MEMORY, Change.CANNOT_TELL),
    ("a narrower time limit", {"timeout_s": 6}, Outcome.SLOW, Change.CANNOT_TELL),
    ("the same limits", {}, Outcome.MEMORY, Change.REGRESSION),
    ("the same time", {"memory_bytes": 10**7}, Outcome.SLOW, Change.REGRESSION),
    ("measured from the correct loop", {"memory_bytes": 10**7, "basis": "2 ×"}, Outcome.MEMORY, Change.REGRESSION),
]


@pytest.mark.parametrize(
    ("limits", "outcome", "change"), [one[1:] for one in NARROWED], ids=[one[0] for one in NARROWED]
)
def test_a_limit_that_a_record_did_not_have_says_nothing_of_a_release(
    limits: dict[str, Any], outcome: Outcome, change: Change
) -> None:
    before = limited(WIDE, Outcome.PASS, "exited")
    ended = "memory" if outcome is Outcome.MEMORY else "timeout"
    after = limited(msgspec.structs.replace(WIDE, **limits), outcome, ended)
    told = compare("toy", [before], [after] * 3, same_machine=False)
    assert told.change is change
    assert ("ended by a limit" in told.differences[0].text) is (change is Change.CANNOT_TELL)


def test_only_the_named_aspects_count() -> None:
    leaks = record_row(findings=(LEAK,))
    assert compare("toy", [PASS] * 2, [leaks] * 2).change is Change.REGRESSION
    assert compare("toy", [PASS] * 2, [leaks] * 2, aspects=("loss",)).change is Change.SAME


def test_a_fifth_slower_is_found_among_noise_and_noise_alone_is_not() -> None:
    found = [compare("toy", noisy(0.010, seed), noisy(0.012, seed + 500)).change for seed in range(100)]
    assert found.count(Change.REGRESSION) >= 70
    same = [compare("toy", noisy(0.010, seed), noisy(0.010, seed + 500)).change for seed in range(100)]
    assert set(same) == {Change.SAME}


rows = st.builds(
    record_row,
    st.sampled_from([one for one in Outcome if one not in (Outcome.UNJUDGED, Outcome.SKIPPED)]),
    step_s=st.floats(0.001, 1).map(lambda step: (step,) * 12),
    losses=st.lists(st.floats(0.1, 10), max_size=5).map(
        lambda many: tuple(Reading(step=n, value=value) for n, value in enumerate(many))
    ),
    findings=st.sampled_from([(), (LEAK,), (NOTE,), (LEAK, NOTE)]),
    memory=st.integers(1, 10**9).map(lambda peak: (MlxSample(t_s=0, active_bytes=0, cache_bytes=0, peak_bytes=peak),)),
)
MIRROR = {Change.REGRESSION: Change.FIXED, Change.FIXED: Change.REGRESSION}


@given(rows, st.integers(1, MANY))
def test_nothing_is_a_regression_against_itself(row: ProgramRecord, runs: int) -> None:
    result = compare("toy", [row] * runs, [row] * runs)
    assert result.differences == ()


@given(rows, rows, st.sampled_from([1, 2, MANY]))
def test_swapping_the_sides_swaps_regression_and_fixed(one: ProgramRecord, other: ProgramRecord, runs: int) -> None:
    def told(result: Comparison) -> list[tuple[str, Change]]:
        return sorted((found.what, found.change) for found in result.differences)

    forth = told(compare("toy", [one] * runs, [other] * runs))
    back = told(compare("toy", [other] * runs, [one] * runs))
    assert sorted((what, MIRROR.get(change, change)) for what, change in back) == forth


@given(st.lists(st.floats(0.95, 1.05), min_size=2 * MANY, max_size=2 * MANY))
def test_noise_within_the_spread_does_not_flip_the_answer(scales: list[float]) -> None:
    runs = [with_steps(0.01 * scale) for scale in scales]
    assert compare("toy", runs[:MANY], runs[MANY:]).change is Change.SAME
