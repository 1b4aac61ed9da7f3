"""Which ranks belong to one run, where a watch has seen several."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.values.again import jobs
from mlxprobe.values.observation import Process


def begun(pid: int, parent: int, rank: int, begun_s: float) -> Any:
    return SimpleNamespace(process=Process(pid=pid, parent=parent, rank=rank), begun_s=begun_s)


ONE = [begun(10, 1, 0, 1.0), begun(11, 1, 1, 1.1)]
SEEN = [
    ("one run", ONE, [[10, 11]]),
    ("each rank under a shell of its own", [begun(10, 5, 0, 1.0), begun(11, 6, 1, 1.1)], [[10, 11]]),
    ("two launchers in turn", [*ONE, begun(20, 2, 1, 5.0), begun(21, 2, 0, 5.1)], [[10, 11], [20, 21]]),
    ("two at once, of two sizes", [*ONE, begun(20, 2, 1, 1.05), begun(21, 2, 0, 1.2), begun(22, 2, 2, 1.3)],
     [[10, 11], [20, 21, 22]]),
    ("one launcher, twice", [*ONE, begun(20, 1, 1, 5.0), begun(21, 1, 0, 5.1)], [[10, 11], [20, 21]]),
    ("shells of their own, twice",
     [begun(10, 5, 0, 1.0), begun(11, 6, 1, 1.1), begun(20, 7, 0, 5.0), begun(21, 8, 1, 5.1)], [[10, 11], [20, 21]]),
    ("what a rank has started has its number", [*ONE, begun(12, 11, 1, 2.0)], [[10, 11, 12]]),
    ("no ranks", [begun(10, 1, -1, 1.0)], []),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "right"), [row[1:] for row in SEEN], ids=[row[0] for row in SEEN])
def test_ranks_are_parted_by_their_runs(seen: list[Any], right: list[list[int]]) -> None:
    assert [sorted(one.process.pid for one in job) for job in jobs(seen[::-1])] == right
