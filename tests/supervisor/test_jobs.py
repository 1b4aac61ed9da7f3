"""Which ranks are of one job: by what launched them, by where they meet, by who came before."""

from __future__ import annotations

import pytest

from mlxprobe.schema.observation import Process
from mlxprobe.supervisor import jobs
from mlxprobe.supervisor.event_log import EventLog
from mlxprobe.supervisor.jobs import Jobs, Origin

ALONE = Origin(0, "a file", (1,))


def by(pid: int) -> Origin:
    """Return the origin of what a process has started that is no launcher, without an address."""
    return Origin(0, "", (pid,))


Rank = tuple[int, int, Origin, bool]
CASES: list[tuple[str, list[Rank], list[int]]] = [
    ("one job", [(8, 0, ALONE, True), (9, 1, ALONE, True)], [0, 0]),
    ("two launchers", [(8, 0, Origin(5, "", (5,)), True), (9, 0, Origin(6, "", (6,)), True)], [1, 2]),
    ("one launcher, whatever the files say",
     [(8, 0, Origin(5, "x", (5,)), True), (9, 1, Origin(5, "y", (5,)), True)], [0, 0]),
    ("two hostfiles", [(8, 0, ALONE, True), (9, 1, Origin(0, "another", (1,)), True)], [1, 2]),
    ("one file could not be read", [(8, 0, ALONE, True), (9, 1, Origin(0, "", (1,)), True)], [0, 0]),
    ("again at the same addresses",
     [(8, 0, ALONE, True), (9, 1, ALONE, True), (11, 1, ALONE, True), (12, 0, ALONE, True)], [1, 1, 2, 2]),
    ("what a rank starts is of its job",
     [(8, 0, ALONE, True), (9, 1, ALONE, True), (10, 0, Origin(0, "a file", (8, 1)), False)], [0, 0, 0]),
    ("each rank under a shell of its own", [(8, 0, by(5), True), (9, 1, by(6), True)], [0, 0]),
    ("shells of their own, twice",
     [(8, 0, by(5), True), (9, 1, by(6), True), (11, 0, by(3), True), (12, 1, by(4), True)], [1, 1, 2, 2]),
    ("launchers that nobody knows, of two sizes",
     [(8, 0, by(5), True), (20, 1, by(6), True), (9, 1, by(5), True), (21, 0, by(6), True), (22, 2, by(6), True)],
     [1, 2, 1, 2, 2]),
    ("a helper beside a rank opens none", [(7, 0, ALONE, False), (8, 0, ALONE, True), (9, 1, ALONE, True)], [0, 0, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("ranks", "numbers"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_ranks_are_of_jobs(ranks: list[Rank], numbers: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    origins = {pid: origin for pid, _, origin, _ in ranks}
    monkeypatch.setattr(jobs, "_origin", lambda pid, _: origins[pid])
    logs = []
    for pid, rank, _, joined in ranks:
        log = EventLog(0.0)
        log.process, log.joined = Process(pid=pid, parent=origins[pid].above[0], rank=rank), joined
        logs.append(log)
    Jobs().assign(logs)
    assert [log.process.job for log in logs] == numbers
