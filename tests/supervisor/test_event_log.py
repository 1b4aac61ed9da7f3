"""Event lines, in order and not: what counts as progress, what as nonsense, and whose words they are."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.schema.observation import Sample
from mlxprobe.supervisor.downsample import HEAD, KEEP, RECENT, thin
from mlxprobe.supervisor.event_log import MOST_FACTS, MOST_FORKS, EventLog
from mlxprobe.supervisor.observation_builder import own_samples


def line(event: str, t: float = 101.0, **values: Any) -> bytes:
    return json.dumps({"e": event, "t": t, **values}).encode() + b"\n"


def step(n: int, step_s: float = 0.1, losses: Any = None, seen: tuple[Any, ...] = (), **values: Any) -> bytes:
    rows = [[n, step_s * 1e7, 1, 7, *seen]]
    return line("steps", 100.0 + n, rows=rows, losses=[[n, 0.5, 0]] if losses is None else losses, **values)


def told(begun: int | None, done: int | None, *, sure: bool = False) -> list[Any]:
    return ["world", 1, "all_sum", [3], "float32", -1, 1, -1, 900_000, begun, done, 1, "", int(sure), 0, 0, 0]


WORDS = [
    line("collectives", 101.0, rows=[told(500_000, None)], evaluating=500_000, counts={}),
    line("collectives", 101.25, rows=[told(750_000, 125_000, sure=True)], evaluating=None, counts={}),
]


@pytest.mark.parametrize("order", [WORDS, WORDS[::-1]], ids=["in order", "the earlier word last"])
def test_what_two_threads_tell_of_a_collective_may_come_in_any_order(order: list[bytes]) -> None:
    """The agent's own thread may lose the processor between looking and speaking; the program goes on."""
    log = EventLog(100.0)
    log.feed(b"".join(order))
    (one,) = log.collectives
    assert (one.begun_s, one.done_s, one.sure, log.evaluating_s) == (0.5, 1.125, True, None)


MEMORY = line("memory", active=1, cache=2, peak=3)
RAISED: dict[str, Any] = {"type": "ValueError", "message": "no", "file": "train.py", "line": 3, "traceback": ""}
LINES = [
    ("a step is progress", step(1), True, 0),
    ("a tick is progress", line("tick", n=1), True, 0),
    ("a memory reading is none", MEMORY, False, 0),
    ("an answer to our question is none", line("collectives", rows=[], evaluating=None), False, 0),
    ("an event that nobody knows is nonsense", line("dance"), False, 1),
    ("an event without its time is nonsense", b'{"e": "begin"}\n', False, 1),
    ("a field of the wrong kind is nonsense", line("steps", rows=[[1, "soon", 1, 7]], losses=[]), False, 1),
    ("a value that is no object is nonsense", b"[1, 2]\n", False, 1),
    ("bytes that are no text are nonsense", b"\x00\xff{]\n", False, 1),
    ("an empty line is nonsense", b"\n", False, 1),
    ("nonsense hides no progress beside it", b"what\n" + step(1) + b"what\n", True, 2),
    ("nothing is nothing", b"", False, 0),
]


@pytest.mark.parametrize(("lines", "moved", "garbled"), [case[1:] for case in LINES], ids=[case[0] for case in LINES])
def test_a_line(lines: bytes, moved: bool, garbled: int) -> None:
    log = EventLog(100.0)
    assert (log.feed(lines), log.garbled) == (moved, garbled)


def test_times_count_from_the_start() -> None:
    log = EventLog(100.0)
    log.feed(line("begin", 100.25) + step(1))
    assert (log.begun_s, log.steps[0].t_s) == (0.25, 1.0)


def test_steps_of_one_line_end_one_after_the_other() -> None:
    log = EventLog(100.0)
    log.feed(line("steps", 101.0, rows=[[1, 5e6, 1, 7], [2, 1e6, 1, 7, 40, "inf"], [4, 2e6, 2, 7]], losses=[]))
    assert [(one.n, round(one.t_s, 3), one.step_s) for one in log.steps] == [
        (1, 0.7, 0.5),
        (2, 0.8, 0.1),
        (4, 1.0, 0.2),
    ]
    assert [(one.pending, str(one.gradient)) for one in log.steps] == [(None, "None"), (40, "inf"), (None, "None")]
    assert log.step == 4


def test_a_loss_that_json_cannot_say_is_read_all_the_same() -> None:
    log = EventLog(100.0)
    log.feed(step(1, losses=[[1, "nan", 0], [2, "inf", 0]]))
    assert [str(one.value) for one in log.losses] == ["nan", "inf"]


def test_nonsense_is_counted_and_hides_nothing() -> None:
    log = EventLog(100.0)
    log.feed(b"no event\n" * 100_000 + step(1))
    assert (log.garbled, log.nonsense) == (100_000, "'no event'")
    assert len(log.steps) == 1


@pytest.mark.slow
def test_a_program_that_runs_for_days_stays_within_memory() -> None:
    log = EventLog(100.0)
    log.feed(b"".join(step(n, step_s=5.0 if n == 3000 else 0.1) for n in range(1, 20_001)))
    numbers = [one.n for one in log.steps]
    assert len(numbers) <= KEEP
    assert numbers[:HEAD] == list(range(1, HEAD + 1))
    assert numbers[-RECENT:] == list(range(20_001 - RECENT, 20_001))
    assert numbers == sorted(numbers)
    assert 3000 in numbers  # the slowest outlasts its neighbours


def test_a_short_series_is_kept_whole() -> None:
    values = list(range(KEEP))
    thin(values, lambda one: one)
    assert values == list(range(KEEP))


FACT: dict[str, Any] = {
    "type": "FirstUpdate", "step": 1, "file": "made.py", "source": "", "caller": None, "fields": {}
}  # fmt: skip


def test_however_much_a_program_tells_only_so_much_is_kept() -> None:
    log = EventLog(100.0)
    for k in range(MOST_FACTS + 1000):
        log.feed(line("fact", **FACT, line=k, count=1))
        log.feed(line("memory", 101.0 + k, active=k, cache=2, peak=k))
        log.feed(line("ready", pid=k))
    assert log.garbled == 0
    assert len(log.sightings) <= MOST_FACTS and len(log.memory) <= KEEP and len(log.pids) == MOST_FORKS
    assert log.sightings[0].line == 0
    assert log.sightings[-1].line == log.pids[-1] == log.memory[-1].active_bytes
    assert log.memory[-1].peak_bytes == MOST_FACTS + 999


@pytest.mark.parametrize(
    ("seen", "wanted"), [((), [9_000]), ((4_000, 9_500), [4_000, 9_500]), ((4_000,), [4_000, 9_000])]
)
def test_what_a_short_lived_process_has_held_is_its_own_word(seen: tuple[int, ...], wanted: list[int]) -> None:
    log = EventLog(100.0)
    log.feed(line("process", pid=8, parent=1, rank=1, size=2, command=[]))
    assert not log.feed(line("held", 103.0, bytes=9_000, cpu_s=0.5)), "no progress"
    sampled = [Sample(t_s=1.0, rss_bytes=held, cpu_s=0.1) for held in seen]
    watcher: Any = SimpleNamespace(tree=SimpleNamespace(apart={8: sampled} if seen else {}))
    assert [one.rss_bytes for one in own_samples(watcher, log)] == wanted
