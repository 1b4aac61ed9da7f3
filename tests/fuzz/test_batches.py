"""Batches in watched processes: numbers come back, a crash is pinned, nothing is lost."""

import sys
import warnings
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from watching import until

from mlxprobe.cli.common import main
from mlxprobe.cli.fuzz import fuzz
from mlxprobe.cluster.executor import Here
from mlxprobe.fuzz.array_values import contents
from mlxprobe.fuzz.batch import Batches, Seen
from mlxprobe.fuzz.case import Array, Case, Step
from mlxprobe.fuzz.child.array_codec import packed
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.generate import cases
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.operations.registry import Operation
from mlxprobe.fuzz.oracles import Judge
from mlxprobe.fuzz.session import Fuzzing
from mlxprobe.fuzz.shrink import Reducing
from mlxprobe.fuzz.strategies import Arguments
from mlxprobe.schema.observation import Environment
from mlxprobe.settings.table import resolve

HERE = Environment(python="", executable=sys.executable, platform="", mlx="here")
CRASH = {"fate": "crash", "word": "SIGSEGV"}


class Scripted(Batches):
    """Die at a case, where another one has run before it in the same process."""

    def __init__(self, culprit: str, needs: str = "") -> None:
        super().__init__(HERE, Here(resolve({})))
        self.culprit, self.needs, self.runs = culprit, needs, 0

    def _once(self, chosen: Sequence[Case], _: object = None) -> tuple[dict[str, Seen], Seen]:
        self.runs += 1
        found: dict[str, Seen] = {}
        for one in chosen:
            if one.id == self.culprit and (not self.needs or self.needs in found):
                return found, dict(CRASH)
            found[one.id] = {"value": []}
        return found, {"fate": "error", "word": ""}


MANY = list(islice(cases(0, ["sin", "cos"]), 16))


def test_a_crash_is_pinned_to_its_case_and_nothing_else_is_lost() -> None:
    found = Scripted(MANY[5].id).run(MANY)
    assert found[MANY[5].id] == CRASH
    assert all(found[one.id] == {"value": []} for one in MANY if one is not MANY[5])


def test_a_crash_that_needs_an_earlier_case_is_pinned_by_halving() -> None:
    batches = Scripted(MANY[9].id, needs=MANY[2].id)
    found = batches.run(MANY)
    assert found[MANY[9].id]["beside"] == CRASH | {"with": [MANY[2].id]}
    assert len(found) == len(MANY)


def test_an_end_that_does_not_come_again_is_told_and_is_no_finding() -> None:
    class Once(Scripted):
        def _once(self, chosen: Sequence[Case], _: object = None) -> tuple[dict[str, Seen], Seen]:
            self.culprit = "" if self.runs else self.culprit
            return super()._once(chosen)

    batches = Once(MANY[5].id)
    found = batches.run(MANY)
    assert all(one == {"value": []} for one in found.values())
    assert batches.unrepeated == [f"{MANY[5].id}: SIGSEGV"]


@pytest.mark.slow
def test_a_real_crash_is_told_by_its_signal_and_the_others_have_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "as_strided", Operation(name="as_strided", build=lambda _: Arguments((), ())))
    array = Array(shape=(4,))
    far = Case(
        id="far",
        arrays=(array,),
        steps=(Step(function="as_strided", arguments=({"array": 0}, [8], [10**13])),),
        axes=(0,),
    )
    near = Case(id="near", arrays=(array,), steps=(Step(function="negative", arguments=({"array": 0},)),), axes=(0,))
    after = Case(id="after", arrays=(array,), steps=(Step(function="square", arguments=({"array": 0},)),), axes=(0,))
    found = Batches(HERE, Here(resolve({}))).run([near, far, after])
    assert found["far"] == {"fate": "crash", "word": "SIGSEGV", "mode": "value"}
    for one in (near, after):
        assert Judge(one, found[one.id]).judge() == []
        assert found[one.id]["wide"]["value"][0]["dtype"] == "float64"


@pytest.mark.slow
def test_the_command_ends_with_0_where_nothing_is_found() -> None:
    done = CliRunner().invoke(main, ["fuzz", "--programs", "3", "--ops", "add", "--seed", "1"])
    assert done.exit_code == 0, done.output
    assert "3 programs with seed 1" in done.output
    assert "0 findings" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("flags", [["--timeout", "1ms"], ["--memory-limit", "1MB"]])
def test_a_comparison_in_which_every_process_ends_at_a_limit_is_no_pass(flags: list[str]) -> None:
    here = f"python={sys.executable}"
    done = CliRunner().invoke(main, ["fuzz", "--programs", "2", "--ops", "sin", "--against", here, *flags])
    assert done.exit_code == 2, done.output
    assert "none of 2 random programs gave an outcome on both sides" in done.stderr
    assert "No verdict: none of 2 random programs" in done.stdout


@pytest.mark.slow
def test_what_numpy_warns_of_in_any_thread_does_not_reach_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def loud(*given: Any) -> Any:
        warnings.warn("overflow encountered in cast", RuntimeWarning, stacklevel=2)
        return contents(*given)

    monkeypatch.setattr("mlxprobe.fuzz.batch.contents", loud)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert CliRunner().invoke(main, ["fuzz", "--programs", "1", "--ops", "add"]).exit_code == 0
    assert not seen


@pytest.mark.parametrize("flag", ["--against", "--candidate"])
@pytest.mark.parametrize("name", ["", "mlx-lm==1.0", "nonsense"])
def test_what_names_no_release_is_wrong_usage(flag: str, name: str) -> None:
    done = CliRunner().invoke(main, ["fuzz", "--programs", "1", flag, name])
    assert done.exit_code == 2, done.output
    assert done.output.startswith(f"mlxprobe: {flag}: {name!r} is n") and len(done.output.splitlines()) == 1


def test_a_time_that_is_none_is_refused() -> None:
    done = CliRunner().invoke(main, ["fuzz", "--for", "soon"])
    assert done.exit_code == 2
    assert "--for: 'soon' is not a time" in done.output
    assert fuzz.name == "fuzz"


def test_all_that_was_found_is_made_smaller_in_step_and_what_does_not_come_again_is_dropped() -> None:
    class Wrong(Scripted):
        def _once(self, chosen: Sequence[Case], _: object = None) -> tuple[dict[str, Seen], Seen]:
            self.runs += 1
            value = {"error": "ValueError: wrong"}
            return {one.id: {"value": value} if one.operation == "sin" else {"value": []} for one in chosen}, {}

    batches = Wrong("")
    shown = [
        (one, Discrepancy(case=one.id, operation=one.operation, oracle="value", kind="raises", message=""))
        for one in (MANY[0], MANY[-1])
    ]
    small = dict(
        zip((one.operation for one, _ in shown), Reducing(batches, lambda _: None).reduced(shown), strict=True)
    )
    assert small["cos"] is None
    assert small["sin"] is not None
    assert small["sin"][0].size <= min(one.size for one, _ in shown if one.operation == "sin")
    assert batches.runs < 12


def test_what_only_differs_between_two_releases_is_made_smaller_too() -> None:
    class Constant(Scripted):
        number = 0.0

        def _once(self, chosen: Sequence[Case], _: object = None) -> tuple[dict[str, Seen], Seen]:
            self.runs += 1
            value = {"shape": [], "dtype": "float32", "values": packed(np.array(self.number), "float32")}
            return {one.id: {"value": [value]} for one in chosen}, {}

    sides = [Constant(""), Constant("")]
    sides[1].number = 1.0
    case = next(one for one in cases(0, ["nn.MultiHeadAttention"]) if one.size[1])
    report = Fuzzing(sides, 2).run([case], 0, 1, None)
    (found,) = report.findings
    assert (found.oracle, found.proved) == ("other side", False)
    assert found.reduced is not None
    assert found.reduced.size < case.size
    assert all(one.layout == "plain" for one in found.reduced.arrays)


def test_of_all_attempts_the_first_that_ends_its_process_alone_too_is_told() -> None:
    batches = Scripted(MANY[3].id)
    assert batches.first_end(MANY[:6], {}) == {MANY[3].id: CRASH}
    assert batches.runs == 2
    assert Scripted(MANY[3].id, needs=MANY[1].id).first_end(MANY[:6], {}) == {}
    assert Scripted("").first_end(MANY[:6], {}) == {}


def test_what_one_side_shows_by_chance_is_asked_of_the_other_too() -> None:
    class Chance(Scripted):
        def _once(self, chosen: Sequence[Case], _: object = None) -> tuple[dict[str, Seen], Seen]:
            self.runs += 1
            wrong = {"value": {"error": "ValueError: wrong"}}
            shown = self.name == "one" or any("/b" in one.id for one in chosen)
            return {one.id: wrong if shown else {"value": {"error": "not implemented"}} for one in chosen}, {}

    sides = [Chance(""), Chance("")]
    sides[0].name, sides[1].name = "one", "other"
    report = Fuzzing(sides, 2).run(iter(MANY[:1]), 0, 1, None)
    assert [one.releases for one in report.findings] == [("one", "other")]
    assert report.new == []


def test_an_interrupted_run_judges_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Scripted):
        answered = 0

        def run(self, chosen: Sequence[Case], _: object = None) -> dict[str, Seen]:
            self.runs += 1
            if self.runs == 2:
                self.stop.wait(10)
            self.answered += len(chosen)
            return {one.id: {"value": []} for one in chosen}

    batches = Interrupted("")
    fuzzing = Fuzzing([batches], 1)
    judged = fuzzing._judged

    def interrupted(*seen: Any) -> None:
        judged(*seen)
        if not batches.stop.is_set() and until(lambda: batches.runs == 2):
            raise KeyboardInterrupt

    monkeypatch.setattr(fuzzing, "_judged", interrupted)
    report = fuzzing.run(MANY, 0, 2, None)
    assert not report.complete
    assert batches.runs > 1 and report.cases == batches.answered


@pytest.mark.slow
def test_a_device_is_held_against_another_one() -> None:
    done = CliRunner().invoke(main, ["fuzz", "--programs", "3", "--ops", "add", "--device", "cpu", "--against", "cpu"])
    assert done.exit_code == 0, done.output
    assert "0 findings, 0 of them new" in done.output
