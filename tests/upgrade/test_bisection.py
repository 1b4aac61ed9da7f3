"""The bisection against scripted oracles: skips, flakes, a history that changes more than once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import HERE, record_row

from mlxprobe.cluster.executor import Here
from mlxprobe.releases.index import Release
from mlxprobe.reports.bisection import render
from mlxprobe.runner.schedule import Task
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.errors import BrokenReleaseError, NoWheelError, ProbeError, UsageError
from mlxprobe.schema.observation import MlxSample, Reading
from mlxprobe.schema.record import Finding, ProgramRecord
from mlxprobe.settings.table import resolve
from mlxprobe.upgrade import bisect
from mlxprobe.upgrade.bisect import BisectRun, Found, condition, span
from mlxprobe.upgrade.bisect_search import Answer, Bisection, BoundaryError

RELEASES = [f"0.{n}" for n in range(22)]
G, B, S = Answer.GOOD, Answer.BAD, Answer.SKIP


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bisect, "cache_folder", lambda: tmp_path)
    return tmp_path


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


NO_CONDITIONS = [
    ("no form at all", "slow", "--when: 'slow' is not outcome=hang"),
    ("no outcome", "outcome=melted", "'melted' is not an outcome"),
    ("no finding", "finding=MP999", "'MP999' is no finding; there are MP101"),
    ("no number", "memory>1.2.3x", "'memory>1.2.3x' is not outcome=hang"),
    ("nothing", "", "'' is not outcome=hang"),
]


@pytest.mark.parametrize(("text", "words"), [c[1:] for c in NO_CONDITIONS], ids=[c[0] for c in NO_CONDITIONS])
def test_a_condition_that_is_none_is_told(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        condition(text)


GOOD = record_row(memory=(MlxSample(t_s=1, active_bytes=0, cache_bytes=0, peak_bytes=10_000_000),))
STUCK = record_row(Outcome.HANG)
RAISED = record_row(Outcome.ERROR, exit_code=1)
FOUND = Finding(code="MP103", name="x", severity=Severity.WARNING, message="x")
LARGE = record_row(memory=(MlxSample(t_s=1, active_bytes=0, cache_bytes=0, peak_bytes=16_000_000),))
APART = record_row(losses=tuple(Reading(step=n, value=8.0 / n) for n in range(1, 21)))

CONDITIONS = [
    ("without one, another outcome", None, STUCK, True),
    ("without one, the same outcome", None, LARGE, False),
    ("the outcome", "outcome=hang", STUCK, True),
    ("another outcome", "outcome=hang", RAISED, False),
    ("the finding", "finding=MP103", record_row(findings=(FOUND,)), True),
    ("the finding in small letters", "finding=mp103", record_row(findings=(FOUND,)), True),
    ("another finding", "finding=MP101", record_row(findings=(FOUND,)), False),
    ("a peak over the factor", "memory>1.5x", LARGE, True),
    ("a peak below it", "memory>2x", LARGE, False),
    ("a peak that is not known", "memory>1.5x", record_row(memory=()), False),
    ("losses that diverge", "loss-diverges", APART, True),
    ("a loss that is not a number", "loss-diverges", record_row(Outcome.NAN), True),
    ("the same losses", "loss-diverges", LARGE, False),
    ("an exit code", "exit!=0", RAISED, True),
    ("a crash without one", "exit!=0", record_row(Outcome.CRASH, exit_code=None), True),
    ("exit code 0", "exit!=0", LARGE, False),
]


@pytest.mark.parametrize(("text", "one", "bad"), [c[1:] for c in CONDITIONS], ids=[c[0] for c in CONDITIONS])
def test_conditions(text: str | None, one: ProgramRecord, bad: bool) -> None:
    assert condition(text)(one, GOOD) is bad


Scripts = ProgramRecord | bool | None


CUT = record_row(Outcome.SLOW, as_expected=False, ended="timeout")


class Scripted:
    """Releases that answer from a script, by version; None has no wheel, False does not import."""

    def __init__(self, script: Mapping[str, Scripts], **flags: str) -> None:
        self.script, self.place, self.asked = script, Here(resolve(flags)), list[str]()
        self.stop = self.place.stop

    def of(self, release: Release) -> Any:
        if self.script[release.name] is None:
            raise NoWheelError(f"no wheel of {release.name}")
        if self.script[release.name] is False:
            raise BrokenReleaseError(f"mlx {release.name} installs but does not import: ImportError")
        return SimpleNamespace(environment=msgspec.structs.replace(HERE, mlx=release.name), stop=self.stop)

    def again(self, runner: Any) -> ProgramRecord | bool | None:
        self.asked.append(runner.environment.mlx)
        return self.script[runner.environment.mlx]

    def run(self, *, when: str | None = None, find_fix: bool = False) -> Found:
        task = Task(name="toy/healthy", run=self.again, again=self.again)  # type: ignore[arg-type]
        search = BisectRun(runners=self, task=task, predicate=condition(when), identity="", find_fix=find_fix)  # type: ignore[arg-type]
        return search.run([release(one) for one in self.script])


HUNTS = [
    ("the first bad", [GOOD, GOOD, STUCK, STUCK], None, False, "0.2"),
    ("the first bad by a condition", [GOOD, GOOD, LARGE, LARGE], "memory>1.5x", False, "0.2"),
    ("the first good", [STUCK, STUCK, GOOD, GOOD], None, True, "0.2"),
    ("the first good by the outcome", [STUCK, GOOD, GOOD, GOOD], "outcome=hang", True, "0.1"),
    ("the first good by memory, beside the good end", [LARGE, LARGE, LARGE, GOOD], "memory>1.5x", True, "0.3"),
    ("the first good by the loss, beside the good end", [APART, GOOD, GOOD], "loss-diverges", True, "0.1"),
    ("other trouble is no fix", [STUCK, RAISED, RAISED, GOOD], None, True, "0.3"),
    ("a release that does not import is an error", [GOOD, False, False], None, False, "0.1"),
    ("it answers a condition on errors", [GOOD, GOOD, False], "exit!=0", False, "0.2"),
    ("it does not answer other conditions", [GOOD, False, STUCK], "outcome=hang", False, "0.2"),
    ("a run that a limit cut short is no good one", [GOOD, CUT, STUCK], "outcome=hang", False, "0.2"),
    ("what is not there is passed over", [STUCK, None, GOOD, GOOD], None, True, "0.2"),
]


@pytest.mark.parametrize(
    ("history", "when", "find_fix", "first"), [case[1:] for case in HUNTS], ids=[case[0] for case in HUNTS]
)
def test_hunts(
    history: list[ProgramRecord | bool | None], when: str | None, find_fix: bool, first: str, cache: Path
) -> None:
    runners = Scripted({f"0.{n}": one for n, one in enumerate(history)})
    found = runners.run(when=when, find_fix=find_fix)
    assert found.first == first
    assert len(runners.asked) == len(set(runners.asked))
    report = render(found, "mlxprobe bisect …")
    assert f"the first {'good' if find_fix else 'bad'} release is {first}" in report
    assert f"│  {first} {'✓' if find_fix else '✗'}" in report
    assert [line for line in report.splitlines() if line != line.rstrip()] == []


def test_rows_are_kept_from_search_to_search(cache: Path) -> None:
    script: dict[str, ProgramRecord | None] = {"0.1": GOOD, "0.2": STUCK}
    first, again = Scripted(script), Scripted(script)
    assert first.run() == again.run()
    assert (first.asked, again.asked) == (["0.1", "0.2"], [])


@pytest.mark.parametrize("limit", [{"memory": "20MB"}, {"timeout_s": "1s"}, {"stall_s": "1s"}], ids=str)
def test_what_a_limit_has_ended_is_not_given_back_without_it(limit: dict[str, str], cache: Path) -> None:
    with pytest.raises(ProbeError, match="ended by a limit"):
        Scripted({"0.1": CUT, "0.2": STUCK}, **limit).run()
    search = Scripted({"0.1": GOOD, "0.2": STUCK})
    assert search.run().first == "0.2"
    assert search.asked == ["0.1", "0.2"]


def test_a_row_without_a_verdict_is_never_good_and_is_not_kept(cache: Path) -> None:
    unjudged = msgspec.structs.replace(GOOD, outcome=Outcome.UNJUDGED, reason="has no module nosuch")
    for _ in range(2):
        search = Scripted({"0.1": unjudged, "0.2": STUCK})
        with pytest.raises(ProbeError, match=r"mlx 0\.1 gives nothing to compare with: unjudged: has no module nosuch"):
            search.run()
        assert search.asked == ["0.1"]


def test_a_fix_between_ends_that_are_both_bad_is_told_in_the_users_words(cache: Path) -> None:
    with pytest.raises(BoundaryError, match=r"mlx 0\.1 is bad, not good"):
        Scripted({"0.0": STUCK, "0.1": STUCK}).run(when="outcome=hang", find_fix=True)


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
