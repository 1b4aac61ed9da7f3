"""Steps gathered to lines: none is lost, none is told twice, and what is not told yet is told soon."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from mlxprobe.agent.recording.steps import FLUSH_S, KEPT, MOST, StepLog
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import LINE_BYTES


class Gathered:
    """A log of steps, and who reads it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.channel = Channel(self.writing)
        self.log = StepLog(self.channel)

    def add(self, first: int, last: int, at_s: float) -> None:
        for n in range(first, last + 1):
            self.log.add(n, 1e-4, 1, 2**40, at_s)

    def read(self) -> list[dict[str, Any]]:
        found = b""
        try:
            while more := os.read(self.reading, 1 << 20):
                found += more
        except BlockingIOError:
            pass
        lines = found.splitlines()
        assert all(len(line) < LINE_BYTES for line in lines)
        return [json.loads(line) for line in lines]

    def numbers(self) -> list[int]:
        return [row[0] for event in self.read() for row in event["rows"]]


@pytest.fixture
def gathered() -> Iterator[Gathered]:
    made = Gathered()
    yield made
    os.close(made.reading)
    os.close(made.writing)


def test_short_steps_share_a_line_until_it_is_time(gathered: Gathered) -> None:
    began_s = gathered.channel.sent_s
    gathered.add(1, 5, began_s + FLUSH_S / 2)
    assert gathered.read() == []
    gathered.add(6, 6, began_s + 2 * FLUSH_S)
    (event,) = gathered.read()
    assert (event["e"], event["t"]) == ("steps", began_s + 2 * FLUSH_S)
    assert [row[0] for row in event["rows"]] == [1, 2, 3, 4, 5, 6]


def test_a_step_that_was_looked_at_is_told_at_once(gathered: Gathered) -> None:
    gathered.log.add(1, 0.25, 2, 7, gathered.channel.sent_s, 1163, "nan")
    assert gathered.read()[0]["rows"] == [[1, 2_500_000, 2, 7, 1163, "nan"]]


def test_many_steps_and_losses_fit_their_lines(gathered: Gathered) -> None:
    for n in range(1, 4 * MOST):
        gathered.log.read(n, -1.2345678901234567e-100, 12)
        gathered.log.add(10**9 + n, 1e-4, 16, 2**40, gathered.channel.sent_s)
    gathered.log.flush()
    events = gathered.read()
    assert len([row for event in events for row in event["rows"]]) == 4 * MOST - 1
    assert [one[0] for event in events for one in event["losses"]] == list(range(1, 4 * MOST))


def test_what_finds_no_room_is_told_later_in_order_and_once(gathered: Gathered) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            os.write(gathered.writing, b"\n" * 4096)
    gathered.add(1, 300, gathered.channel.sent_s)
    assert set(os.read(gathered.reading, 1 << 20)) == set(b"\n")
    gathered.log.flush()
    assert gathered.numbers() == list(range(1, 301))


def test_where_nobody_ever_reads_memory_stays_bounded(gathered: Gathered) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            os.write(gathered.writing, b"\n" * 4096)
    gathered.add(1, 2 * KEPT, gathered.channel.sent_s)
    gathered.log.flush()
    os.read(gathered.reading, 1 << 20)
    told = []
    while gathered.log.flush():
        told += gathered.numbers()
    assert told[0] > 1 and told[-1] == 2 * KEPT and len(told) <= KEPT + MOST


def test_a_fork_tells_nothing_of_its_parents_steps(gathered: Gathered) -> None:
    gathered.add(1, 3, gathered.channel.sent_s)
    gathered.log.forked()
    assert not gathered.log.flush()
    assert gathered.read() == []
