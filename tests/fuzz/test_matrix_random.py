"""`matrix --random`: the same programs on all releases that are there, and on which of them each finding holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from making import HERE

from mlxprobe.cli.common import main
from mlxprobe.cluster.runners import Runners
from mlxprobe.fuzz.batch import Batches, Seen
from mlxprobe.fuzz.case import Case, program_of
from mlxprobe.upgrade import matrix_run
from mlxprobe.upgrade.matrix import Matrix

WRONG = {"value": {"error": "ValueError: wrong"}}
REFUSED = {"value": {"error": "ValueError: not implemented"}}
SHOWN_ON = ("0.31.2", "0.32.0")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, set[str]]:
    """Let no release be installed; one operation is wrong on two of them, and 0.30.6 cannot be had."""
    seen: dict[str, set[str]] = {}

    def run(self: Batches, cases: Sequence[Case], _: Mapping[str, str] = {}) -> dict[str, Seen]:
        release = self.environment.mlx
        seen.setdefault(release, set()).update(one.id for one in cases if "/" not in one.id)
        wrong = release in SHOWN_ON
        return {one.id: WRONG if wrong and one.operation == "exp" else REFUSED for one in cases}

    def fill(matrix: Matrix, wanted: Sequence[Any], *_: Any, **__: Any) -> Matrix:
        return msgspec.structs.replace(matrix, skipped={"0.30.6": "no wheel"})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Batches, "run", run)
    monkeypatch.setattr(matrix_run, "fill", fill)
    monkeypatch.setattr(
        Runners, "runner", lambda _, name: SimpleNamespace(environment=msgspec.structs.replace(HERE, mlx=name))
    )
    return seen


def asked(*more: str) -> Any:
    words = ["matrix", "0.30.6", "0.31.2", "0.32.0", "0.32.4", "--scenario", "step2-hang", *more]
    return CliRunner().invoke(main, words)


def test_each_finding_tells_the_releases_that_show_it(ran: dict[str, set[str]]) -> None:
    done = asked("--random", "24", "--seed", "3")
    assert done.exit_code == 0, done.output
    assert "24 programs with seed 3 on mlx 0.31.2 and mlx 0.32.0 and mlx 0.32.4" in done.output
    (head,) = [line for line in done.output.splitlines() if line.startswith("exp:")]
    assert "value, raises  on mlx 0.31.2, 0.32.0  (" in head
    assert "--replay exp:3:" in head


def test_all_releases_but_those_that_cannot_be_had_run_the_same_programs(ran: dict[str, set[str]]) -> None:
    asked("--random", "24")
    assert set(ran) == {"0.31.2", "0.32.0", "0.32.4"}
    assert len({frozenset(one) for one in ran.values()}) == 1
    assert len({program_of(one) for one in ran["0.32.4"]}) == 24


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_form_that_has_no_random_programs_is_refused(form: str, ran: dict[str, set[str]]) -> None:
    done = asked("--random", "3", "--format", form)
    assert done.exit_code == 2
    assert f"--random: has no {form}; right is text or markdown" in done.output
    assert not ran
