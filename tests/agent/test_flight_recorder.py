"""What outlives a process of its last collectives, written by the agent and read by the supervisor."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mlxprobe.agent.hooks.collective_encoding import Kind, Row, Words
from mlxprobe.agent.hooks.flight_recorder import SLOTS, BlackBox
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import BOX_FILE
from mlxprobe.supervisor.event_log import EventLog
from mlxprobe.supervisor.flight_recorder import collectives

PID = 7


def kind(size: int) -> Kind:
    return Kind(("all_sum", "world", -1), (size,), "float32", [[0], [0]])


class Both:
    """The box of one process, and the log of what it has told."""

    def __init__(self, folder: Path) -> None:
        self.log = EventLog(0.0)
        self.log.take({"e": "process", "t": 0.0, "pid": PID, "parent": 1, "rank": 0, "size": 2, "command": []})
        self.kinds: dict[int, Kind] = {}
        self.folder = folder
        self.box = BlackBox(Words(cast(Channel, SimpleNamespace(send=self._send))))
        self.box.open(str(folder / f"{BOX_FILE}.{PID}"))

    def _send(self, event: str, **told: Any) -> bool:
        self.log.take({"e": event, "t": 0.0, **told})
        return True

    def evaluates(self, n: int, *, returns: bool = True) -> None:
        row = Row(self.kinds.setdefault(n % 3, kind(n % 3)), n, 0, lambda: None)
        row.built = float(n)
        self.box.begins([row], n + 0.25)
        if returns:
            self.box.returns([row], n + 0.5)

    def told(self) -> list[tuple[int, tuple[int, ...], float | None, float | None]]:
        return [(one.n, one.shape, one.begun_s, one.done_s) for one in collectives(self.folder, self.log)]


def test_what_was_begun_and_never_told_is_known(tmp_path: Path) -> None:
    both = Both(tmp_path)
    both.evaluates(1)
    both.evaluates(2, returns=False)
    assert both.told() == [(1, (1,), 1.25, 1.5), (2, (2,), 2.25, None)]
    both.log.take({"e": "end", "t": 3.0})
    assert both.told() == [], "its last word says more"


def test_the_last_are_kept_and_a_late_return_spoils_nothing(tmp_path: Path) -> None:
    both = Both(tmp_path)
    early = Row(kind(1), 1, 0, lambda: None)
    both.box.begins([early], 1.25)
    for n in range(2, SLOTS + 3):
        both.evaluates(n, returns=n % 2 == 0)
    both.box.returns([early], 99.0)
    told = both.told()
    assert [one[0] for one in told] == list(range(3, SLOTS + 3))
    assert [one[3] for one in told] == [None if n % 2 else n + 0.5 for n in range(3, SLOTS + 3)]


def test_a_fork_writes_nothing_into_its_parents(tmp_path: Path) -> None:
    both = Both(tmp_path)
    both.evaluates(1)
    if not (pid := os.fork()):
        both.evaluates(2)
        os._exit(0)
    os.waitpid(pid, 0)
    assert [one[0] for one in both.told()] == [1]


def test_a_file_that_is_gone_or_nonsense_adds_nothing(tmp_path: Path) -> None:
    both = Both(tmp_path)
    both.evaluates(1)
    file = tmp_path / f"{BOX_FILE}.{PID}"
    file.write_bytes(b"\xff" * 50)
    assert both.told() == []
    file.unlink()
    assert both.told() == []
