"""A scenario with ranks runs like any other, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from running import MLXPROBE, own_environment
from watching import GUARD_S, MARK, commands, marked, until

from mlxprobe.catalogue.discovery import Entry, read
from mlxprobe.runner.runner import Runner
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.observation import Environment
from mlxprobe.settings.table import resolve

PAIR = '''"""Two ranks.

Symptom: none.
Cause: none.
Fix: none.
"""

import os
from pathlib import Path

import mlx.core as mx

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def total(rounds):
    group = mx.distributed.init()
    for _ in range(rounds):
        seen = mx.distributed.all_sum(mx.array(float(group.rank())))
        mx.eval(seen)
    return {"total": seen, "size": mx.array(group.size())}


@probe.correct
def some():
    """Meet a few times."""
    return total(5)


@probe.broken(expects=Outcome.UNJUDGED, comparable=False)
def endless():
    """Meet for ever."""
    total(5)
    Path(os.environ["READY"] + str(mx.distributed.init().rank())).touch()
    return total(10**9)
'''


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    (tmp_path / "pair.py").write_text(PAIR)
    return read(tmp_path / "pair.py")


@pytest.mark.slow
def test_every_rank_has_its_own_result_and_its_collectives(entry: Entry) -> None:
    from mlxprobe.supervisor.interpreter import usable

    row = Runner(resolve({}), usable()).correct_row(entry)
    assert row.outcome is Outcome.PASS, row.reason
    assert [one.process.rank for one in row.ranks if one.process] == [0, 1]
    for one in row.ranks:
        assert next(iter(one.result["size"])) == 2.0
        assert [made.operation for made in one.collectives] == ["all_sum"] * 5


def test_where_there_is_no_gpu_for_each_rank_it_is_skipped(entry: Entry) -> None:
    here = Environment(python="3.11", executable="python", platform="Linux", mlx="0.32.4", device="gpu", gpus=1)
    row = Runner(resolve({}), here).variant_row(entry, entry.correct)
    assert (row.outcome, row.reason) == (Outcome.SKIPPED, "it needs 2 GPUs, one for each rank; this machine has 1")


@pytest.mark.slow
def test_nothing_is_left_of_ranks_whose_launcher_is_killed(entry: Entry, tmp_path: Path) -> None:
    mark, report = f"launcher-{os.getpid()}-{tmp_path.name}", tmp_path / "record.json"
    order = [*MLXPROBE, "run", "--scenarios", str(tmp_path), "--scenario", "pair", "--format", "json"]
    environment = own_environment(**{MARK: mark, "READY": str(tmp_path / "ready-")})
    with subprocess.Popen(
        [*order, "--output", str(report)], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    ) as ours:
        try:
            assert until(lambda: len(list(tmp_path.glob("ready-*"))) == 2)
            psutil.Process(named(mark, "endless", "rank")[0]).parent().kill()
            ours.wait(GUARD_S)
            assert until(lambda: not commands(mark)), commands(mark)
        finally:
            for one in marked(mark):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
    (row,) = [one for one in json.loads(report.read_text())["programs"] if one["variant"] == "endless"]
    assert (row["outcome"], row.get("repeats", [])) == ("unjudged", []), row["reason"]
    assert "when what had started it ended" in row["reason"]


def named(mark: str, *words: str) -> list[int]:
    found = []
    for one in marked(mark):
        with suppress(psutil.Error):
            found += [one.pid] if {*words} <= {*one.cmdline()} else []
    return found
