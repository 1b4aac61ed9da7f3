"""The bisection against scripted oracles: skips, flakes, a history that changes more than once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxprobe.bisection import Answer, Bisection, BoundaryError
from mlxprobe.errors import UsageError
from mlxprobe.hunt import Found, condition, span
from mlxprobe.releases import Release
from mlxprobe.reports.bisection import render

RELEASES = [f"0.{n}" for n in range(22)]
G, B, S = Answer.GOOD, Answer.BAD, Answer.SKIP


def search(history: list[Answer]) -> Bisection:
    releases = RELEASES[: len(history)]
    found = Bisection(releases)
    found.search(dict(zip(releases, history, strict=True)).__getitem__)
    return found


@given(st.integers(1, 21))
def test_the_first_bad_release_is_found_in_seven_probes(first: int) -> None:
    found = search([G] * first + [B] * (22 - first))
    assert found.first == RELEASES[first]
    assert found.probes <= 7
    assert found.unclear == ()


@given(st.integers(1, 21), st.sets(st.integers(1, 20)))
def test_skipped_releases_are_passed_over_and_told_where_they_matter(first: int, skipped: set[int]) -> None:
    history = [S if k in skipped else (B if k >= first else G) for k in range(22)]
    found = search(history)
    at = RELEASES.index(found.first)
    assert history[at] is B
    assert all(history[RELEASES.index(one)] is S for one in found.unclear)
    assert history[at - len(found.unclear) - 1] is G
    assert at - len(found.unclear) <= first <= at


@given(st.lists(st.sampled_from([G, B]), min_size=1, max_size=20))
def test_a_history_that_changes_often_still_gives_a_real_boundary(middle: list[Answer]) -> None:
    history = [G, *middle, B]
    found = search(history)
    at = RELEASES.index(found.first)
    assert (history[at - 1], history[at]) == (G, B)


@pytest.mark.parametrize(
    ("history", "words"),
    [([B, G, B], "0.0 is bad, not good"), ([G, B, G], "0.2 is good, not bad"), ([S, B], "0.0 is skip, not good")],
)
def test_ends_that_do_not_hold_are_told(history: list[Answer], words: str) -> None:
    with pytest.raises(BoundaryError, match=words):
        search(history)


def test_cached_answers_cost_no_probe() -> None:
    found = Bisection(RELEASES[:4], answers=dict(zip(RELEASES, [G, G, B, B], strict=False)))
    found.search(lambda _: pytest.fail("asked again"))
    assert (found.first, found.probes) == ("0.2", 0)


def release(version: str) -> Release:
    return Release(name=version, version=version)


SPANS = [
    ("swapped", "0.9", "0.3", False, "wrong way round: swap them, or use --find-fix"),
    ("equal", "0.3", "0.3", False, "are both 0.3"),
    ("unknown", "0.3", "7.7", False, "7.7 is not a release of the index"),
    ("a fix the wrong way round", "0.3", "0.9", True, "leave --find-fix out"),
]


@pytest.mark.parametrize(("good", "bad", "fix", "words"), [case[1:] for case in SPANS], ids=[case[0] for case in SPANS])
def test_ends_that_make_no_span(good: str, bad: str, fix: bool, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        span(release(good), release(bad), RELEASES, find_fix=fix)


def test_a_condition_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="--when: 'slow' is not outcome=hang"):
        condition("slow")
    with pytest.raises(UsageError, match="'melted' is not an outcome"):
        condition("outcome=melted")


def test_the_report_marks_the_boundary() -> None:
    found = Found(
        releases=("1", "2", "3", "4"),
        answers={"1": "good", "2": "good", "3": "bad", "4": "bad"},
        evidence={"2": "fine", "3": "There is no Stream"},
        first="3",
        probes=4,
    )
    report = render(found, "mlxprobe bisect …")
    assert "1 ✓  2 ✓  │  3 ✗  4 ✗" in report
    assert "the first bad release is 3 (4 probes)" in report
    assert "3  There is no Stream" in report
