"""Who is behind, told live: by what each rank has told so far; nothing of ranks that are only slow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlxprobe.agent.wire.constants import COLLECTIVE
from mlxprobe.cli.rank_lag import LAGS_S, RankLag
from mlxprobe.supervisor.event_log import EventLog

NOW_S = 20.0


def log(rank: int, built: int = 7, waits_s: float = 0.0, operation: str = "all_sum", step: int = 6, size: int = 2,
        moved_s: float = 10.0, peer: int = -1) -> EventLog:  # fmt: skip
    """Return what a rank has told by `NOW_S`: its collectives, and for how long it has waited in the last."""
    made = EventLog(0.0)
    since = round(1e6 * waits_s) if waits_s else None
    values = {
        "group": "world", "n": built, "operation": operation, "shape": [9], "dtype": "float32", "peer": peer,
        "step": step, "site": 0, "built_s": since or 0, "begun_s": since, "done_s": None if since else 0,
        "sure": True, "traced": False, "nth": built, "passed": False, "within": False,
        "leaf": "",
    }  # fmt: skip
    events: list[dict[str, Any]] = [
        {"e": "process", "t": 1, "pid": 100 + rank, "parent": 1, "rank": rank, "size": size, "command": []},
        {"e": "begin", "t": 1},
        {"e": "site", "t": 1, "i": 0, "file": "/a/train.py", "line": 31, "source": "", "caller": None},
        {"e": "tick", "t": moved_s, "n": step},
        {"e": "collectives", "t": NOW_S, "rows": [[values[name] for name in COLLECTIVE]], "evaluating": since,
         "counts": {"world": built}},
    ]  # fmt: skip
    made.feed("\n".join(map(json.dumps, events)).encode())
    assert made.garbled == 0
    return made


def ended(one: EventLog) -> EventLog:
    one.finished = True
    return one


AT = "3 s in 7 all_sum (train.py:31)"
BEHIND = f"rank 1 is behind: rank 0 waits {AT}"
TOLD = [
    ("one has built less", [log(0, waits_s=3), log(1, built=6)], BEHIND),
    ("one has built as much, and does not wait", [log(0, waits_s=3), log(1)], BEHIND),
    ("some of many", [*(log(rank, waits_s=3, size=4) for rank in (0, 1, 3)), log(2, built=5, size=4)],
     f"rank 2 is behind: ranks 0, 1 and 3 wait {AT}"),
    ("two are behind", [log(0, waits_s=3, size=3), log(1, built=5, size=3), log(2, built=5, size=3)],
     f"ranks 1 and 2 are behind: rank 0 waits {AT}"),
    ("one waits in an earlier one", [log(0, waits_s=3), log(1, built=6, waits_s=3)],
     BEHIND),
    ("one has come to its end", [log(0, waits_s=3), ended(log(1, built=6))], BEHIND),
    ("both wait in others", [log(0, waits_s=3), log(1, waits_s=4, operation="all_max")],
     "ranks wait 3 s apart: rank 0 in 7 all_sum (train.py:31); rank 1 in 7 all_max (train.py:31)"),
    ("one waits for a message", [log(0, built=3, waits_s=3, operation="recv", peer=1), log(1, built=9)],
     "rank 1 is behind: rank 0 waits 3 s in 3 recv (train.py:31)"),
    ("both wait in the same: a long evaluation", [log(0, waits_s=3), log(1, waits_s=3)], ""),
    ("a step's usual wait", [log(0, waits_s=0.5), log(1, built=6)], ""),
    ("it moves on, and has not told so", [log(0, waits_s=15, moved_s=19.5), log(1, built=6)], ""),
    ("all go on", [log(0), log(1)], ""),
    ("one rank alone", [log(0, waits_s=3)], ""),
    ("no ranks", [log(-1, waits_s=3), log(-1, built=6)], ""),
    ("all have ended", [ended(log(0)), ended(log(1))], ""),
]  # fmt: skip


@pytest.mark.parametrize(("logs", "right"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD])
def test_who_is_behind(logs: list[EventLog], right: str) -> None:
    assert RankLag().told(logs, NOW_S) == right


LAGS = [
    ("far behind for a while", [(50, 80)] * 2, "rank 1 is behind: step 50 of 80"),
    ("a step or two", [(78, 80)] * 2, ""),
    ("not for long", [(80, 80), (50, 80)], ""),
    ("now one, now the other", [(80, 50), (50, 80)], ""),
    ("it makes no steps at all", [(0, 80)] * 2, ""),
]  # fmt: skip


@pytest.mark.parametrize(("looks", "right"), [row[1:] for row in LAGS], ids=[row[0] for row in LAGS])
def test_who_lags_behind(looks: list[tuple[int, int]], right: str) -> None:
    behind = RankLag()
    told = [
        behind.told([log(0, step=most), log(1, step=step)], NOW_S + k * (LAGS_S + 1))
        for k, (step, most) in enumerate(looks)
    ]
    assert told == [""] * (len(looks) - 1) + [right]
