"""Findings are bisected together: which releases show each of them first and last."""

import sys
from collections.abc import Mapping, Sequence

import pytest

from mlxprobe.cluster.executor import Here
from mlxprobe.fuzz.batch import Batches, Seen
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.finding import Finding, Range
from mlxprobe.fuzz.finding_bisect import Ranges
from mlxprobe.fuzz.generate import case_of
from mlxprobe.schema.errors import NoWheelError
from mlxprobe.schema.observation import Environment
from mlxprobe.settings.table import resolve

RELEASES = ("0.26", "0.27", "0.28", "0.29", "0.30", "0.31", "0.32")
WRONG = {"value": {"error": "ValueError: wrong"}}
NOTHING = {"value": {"error": "ValueError: not implemented"}}


class OneRelease(Batches):
    """Shows what is wrong with an operation, by its name."""

    def __init__(self, name: str, wrong: Mapping[str, Seen], asked: list[str]) -> None:
        super().__init__(Environment(python="", executable=sys.executable, platform="", mlx=name), Here(resolve({})))
        self.wrong, self.asked = wrong, asked

    def run(self, cases: Sequence[Case], asked: Mapping[str, str] = {}) -> dict[str, Seen]:
        self.asked.append(self.environment.mlx)
        return {one.id: self.wrong.get(one.operation, NOTHING) for one in cases}


def finding(operation: str, release: str, oracle: str = "value") -> Finding:
    case = case_of(operation, 0, 0)
    return Finding(operation=operation, oracle=oracle, kind="raises", message="", case=case.id, cases=1,
                   releases=(release,), reduced=case)  # fmt: skip


def ranges(wrong: Mapping[str, Mapping[str, Seen]], *findings: Finding) -> tuple[list[Range | None], list[str]]:
    """Search among releases; `wrong` says of each operation where it shows what."""
    asked: list[str] = []

    def batches(name: str) -> Batches:
        if name == "0.29":
            raise NoWheelError("no wheel for this machine")
        return OneRelease(name, {one: seen[name] for one, seen in wrong.items() if name in seen}, asked)

    return [one.holds for one in Ranges(RELEASES, batches).of(findings)], asked


def on(*releases: str, seen: Seen = WRONG) -> dict[str, Seen]:
    return dict.fromkeys(releases, seen)


def test_the_first_release_that_shows_it_is_found() -> None:
    (found,), asked = ranges({"sin": on(*RELEASES[1:])}, finding("sin", "0.32"))
    assert str(found) == "since 0.27"
    assert {"0.30", "0.31"} - set(asked)


def test_what_the_oldest_shows_too_is_told_as_older() -> None:
    (found,), asked = ranges({"sin": on(*RELEASES)}, finding("sin", "0.32"))
    assert str(found) == "on 0.26 already"
    assert set(asked) == {"0.26", "0.32"}


def test_what_came_and_went_has_both_ends() -> None:
    (found,), _ = ranges({"sin": on("0.27", "0.28", "0.30")}, finding("sin", "0.30"))
    assert str(found) == "since 0.27, gone in 0.31"


def test_a_release_that_cannot_be_installed_is_told_beside_the_boundary() -> None:
    (found,), _ = ranges({"sin": on("0.30", "0.31", "0.32")}, finding("sin", "0.32"))
    assert str(found) == "since 0.30, not asked: 0.29"


def test_one_batch_of_a_release_answers_for_all_findings() -> None:
    wrong = {"sin": on(*RELEASES[1:]), "cos": on(*RELEASES[1:])}
    found, asked = ranges(wrong, finding("sin", "0.32"), finding("cos", "0.32"))
    assert [str(one) for one in found] == ["since 0.27"] * 2
    assert max(map(asked.count, asked)) <= 2


@pytest.mark.parametrize("kind", ["crash", "hang"])
def test_another_way_of_ending_the_process_is_the_same_finding(kind: str) -> None:
    ended = on("0.27", seen={"fate": kind, "word": "another"}) | on(
        *RELEASES[2:], seen={"fate": "crash", "word": "SIGSEGV"}
    )
    (found,), _ = ranges({"sin": ended}, finding("sin", "0.32", "crash"))
    assert str(found) == "since 0.27"


def test_what_its_release_does_not_show_again_has_no_range() -> None:
    assert ranges({}, finding("sin", "0.32"))[0] == [None]
