"""Whose word is whose: processes told apart, programs among them, and how each ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlxprobe.supervisor.processes import MAX_LOGS, Processes


def line(event: str, p: int = 0, **values: Any) -> bytes:
    return json.dumps({"e": event, "t": 101.0, **({"p": p} if p else {}), **values}).encode() + b"\n"


def process(p: int, parent: int = 1, rank: int = -1, size: int = 0) -> bytes:
    return line("process", p, pid=p, parent=parent, rank=rank, size=size, command=["python", "train.py"])


def step(p: int, n: int = 1) -> bytes:
    return line("steps", p, rows=[[n, 1e6, 1, 7]], losses=[])


PROGRAMS = [
    ("nobody has spoken", b"", [0]),
    ("one that does not train is one all the same", process(7), [7]),
    ("who trains is one, and who started it is none", process(7) + process(8, 7) + step(8), [8]),
    ("several that train, in the order of their ranks", process(7) + process(9, 7, 1) + process(8, 7, 0), [8, 9]),
    ("without ranks in the order that they came", process(9) + process(8) + step(8) + step(9), [9, 8]),
    ("what a rank starts has its number, and is none",
     process(8, 7, 0) + process(9, 7, 1) + step(8) + step(9) + process(10, 9, 1), [8, 9]),
    ("but for a rank that trains there", process(8, 7, 0) + step(8) + process(9, 7, 1) + process(10, 9, 1) + step(10),
     [8, 10]),
    ("a group of one is no rank", process(8, 7, 0, 1) + process(9), [8]),
    ("what we have started is the one, whatever its forks do", process(0) + process(8) + step(8), [0]),
    ("an event of no known process hides none that has introduced itself", process(7) + step(0) + step(99), [7]),
    ("and none of one that came before it", step(0) + step(99) + process(7), [7]),
    ("who joins a group is one", process(7) + process(8, 7) + line("rank", 8, rank=0, size=2), [8]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "pids"), [row[1:] for row in PROGRAMS], ids=[row[0] for row in PROGRAMS])
def test_programs_are(lines: bytes, pids: list[int]) -> None:
    processes = Processes(100.0)
    processes.feed(lines)
    assert [log.process.pid for log in processes.programs] == pids
    assert processes.garbled == 0


@pytest.mark.parametrize("tagless", [process(0), step(0), b'{"e":"dropped","t":1,"event":"fact"}\n', line("begin")])
def test_a_program_that_we_start_without_the_agent_is_hidden_by_nothing_without_a_number(tagless: bytes) -> None:
    processes = Processes(100.0, untagged=False)
    processes.feed(tagless + process(7) + step(7) + tagless)
    assert ([log.process.pid for log in processes.programs], len(processes.leading.steps)) == ([7], 1)


@pytest.mark.parametrize(
    "event",
    [
        b'{"e":"tick","t":1,"n":1,"p":-7}\n',
        b'{"e":"tick","t":1,"n":1,"p":"7"}\n',
        process(8).replace(b'"pid": 8', b'"pid": 9'),
    ],
)
def test_a_number_that_is_none_of_a_process_is_nonsense(event: bytes) -> None:
    processes = Processes(100.0)
    processes.feed(event + process(7))
    assert (list(processes.logs), processes.garbled) == ([7], 1)


def test_what_cannot_be_read_of_one_process_is_lost_to_it_alone() -> None:
    processes = Processes(100.0)
    processes.feed(process(7) + process(8) + step(7) + step(8) + line("steps", 8, rows=[[1, "soon"]], losses=[]))
    first, second = processes.programs
    assert (dict(first.lost), dict(second.lost), processes.garbled) == ({}, {"steps": 1}, 0)
    assert len(second.steps) == 1


def test_a_process_that_introduces_itself_takes_the_place_of_one_that_has_not() -> None:
    processes = Processes(100.0)
    processes.feed(b"".join(step(p) for p in range(100, 100 + MAX_LOGS)) + process(7) + step(7))
    assert ([log.process.pid for log in processes.programs], len(processes.logs)) == ([7], MAX_LOGS)


def test_each_has_its_own_steps_and_end() -> None:
    processes = Processes(100.0)
    processes.feed(process(7) + process(8) + step(7) + step(8, 3) + line("end", 8))
    assert [(log.step, log.finished) for log in processes.programs] == [(1, False), (3, True)]


def test_more_than_are_listened_to_are_counted() -> None:
    processes = Processes(100.0)
    processes.feed(b"".join(process(p) + step(p) for p in range(1, MAX_LOGS + 4)))
    assert (len(processes.programs), processes.left_out) == (MAX_LOGS, {MAX_LOGS + 1, MAX_LOGS + 2, MAX_LOGS + 3})


def test_the_status_of_a_process_is_told_by_whoever_knows() -> None:
    processes = Processes(100.0)
    where = {"step": 0, "file": "", "line": 0, "source": "", "caller": None, "count": 1}
    ended = line("fact", 7, type="ChildEnded", fields={"pid": 8, "status": -9}, **where)
    processes.feed(process(7) + process(8) + ended + process(9) + line("left", 9, code=3))
    assert processes.statuses([(10, -11)]) == {8: -9, 9: 3, 10: -11}


ROW = ["world", 1, "all_sum", [64], "float32", -1, 7, 0, 2_000_000, 1_500_000, None, 1, "", 1, 0, 0, 0]
SITE = line("site", 8, i=0, file="train.py", line=31, source="", caller=None)


def test_a_collective_is_told_again_as_it_goes_on() -> None:
    processes = Processes(100.0)
    built = [*ROW[:9], None, None, 1, "", 0, 0, 0, 0]
    processes.feed(process(8) + SITE + line("collectives", 8, rows=[built], evaluating=None))
    assert not processes.feed(line("collectives", 8, rows=[ROW], evaluating=1_500_000)), "an answer is no progress"
    (one,) = processes.leading.collectives
    assert (one.n, one.operation, one.shape, one.step, one.file, one.line) == (1, "all_sum", (64,), 7, "train.py", 31)
    assert (one.built_s, one.begun_s, one.done_s, one.sure) == (-1.0, -0.5, None, True)
    assert (processes.leading.evaluating_s, processes.garbled) == (-0.5, 0)


@pytest.mark.parametrize(
    ("operation", "shape", "carriers"), [("all_sum", [5000, 5000], {"17"}), ("all_gather", [5000, 5000], set())]
)
def test_what_a_carrier_hands_over_whole_may_take_it_long(operation: str, shape: list[int], carriers: set[str]) -> None:
    processes = Processes(100.0)
    row = ["world", 1, operation, shape, "float32", -1, 1, 0, 10, None, None, 1, "", 0, 0, 0, 0]
    processes.feed(process(7, rank=0, size=2) + line("carriers", 7, ids=[17]))
    processes.feed(line("collectives", 7, rows=[row], evaluating=None, counts={}))
    assert (processes.carriers, processes.garbled) == (carriers, 0)
