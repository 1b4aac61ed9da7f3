"""What ended one process of several."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from test_processes import process, step

from mlxprobe.schema.observation import Step
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.supervisor.observation_builder import _ended, up_to_date
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


SENT = Sheet(updates=64, gradients=128)


@pytest.mark.parametrize(
    ("done", "thinned", "finished", "counts"),
    [
        (79, 0, False, (79, 158, 64)),
        (64, 0, False, (64, 128, 0)),
        (79, 0, True, (64, 128, 0)),
        (200, 150, False, (200, 400, 64)),
    ],
    ids=["hangs", "nothing came", "ended", "thinned"],
)
def test_what_came_after_the_last_sheet_is_counted_by_its_steps(
    done: int, thinned: int, finished: bool, counts: tuple[int, int, int]
) -> None:
    by_hand = [Step(n=n, t_s=n, step_s=0.1, gradients=1) for n in range(1, 100)]  # before the first update
    rows = [Step(n=n, t_s=n, step_s=0.1, gradients=2) for n in range(1, done + 1)]
    log = SimpleNamespace(steps=[*by_hand, *rows] if not thinned else rows[thinned:], finished=finished)
    sheet = up_to_date(SENT, log)  # type: ignore[arg-type]
    assert (sheet.updates, sheet.gradients, sheet.as_of) == counts
