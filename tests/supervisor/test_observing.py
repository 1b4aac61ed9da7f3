"""What ended one process of several."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from test_processes import process, step

from mlxprobe.supervisor.observing import _ended
from mlxprobe.supervisor.processes import Processes

FATES = [
    ("it lived when its launcher left, and is ended by us", (), "exited", "abandoned"),
    ("it left as its launcher did, and was still there when we looked", ((8, 15),), "exited", "exited"),
    ("its launcher ended it then", ((8, -15),), "exited", "exited"),
    ("another did", ((9, 15),), "exited", "abandoned"),
    ("we asked it to leave, for it hung", ((8, -15),), "stalled", "stalled"),
]


@pytest.mark.parametrize(("orphans", "whole", "said"), [row[1:] for row in FATES], ids=[row[0] for row in FATES])
def test_what_ended_it(orphans: tuple[tuple[int, int], ...], whole: str, said: str) -> None:
    processes = Processes(100.0)
    processes.feed(process(8, 7, 0) + process(9, 7, 1) + step(8) + step(9))
    processes.follow({8, 9}, ())
    watcher = SimpleNamespace(processes=processes, child=SimpleNamespace(orphans=list(orphans)))
    assert _ended(watcher, processes.programs[0], whole) == said  # type: ignore[arg-type]
