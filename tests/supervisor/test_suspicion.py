"""Silences classified: deadlock, stall or unclear, from made-up clocks, CPU times and stacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.supervisor import suspicion
from mlxprobe.supervisor.suspicion import Suspicion, unmoved
from mlxprobe.values.observation import Frame, Sample, Stack
from mlxprobe.values.vocabulary import HangKind

LIMIT_S = 1.0
POLL_S = 0.05


def stack(pid: int, line: int, thread: str = "0x1") -> Stack:
    return Stack(pid=pid, thread=thread, frames=(Frame(file="train.py", line=line, function="step"),))


@dataclass
class World:
    """A program as child, tree, log and stacks at once; seconds of CPU and of waiting for one, bytes, per second."""

    cpu: float = 0.0
    wanted: float = 0.0
    prints: float = 0.0
    runs: bool = False
    device: str = "cpu"
    answers: list[tuple[Stack, ...]] = field(default_factory=lambda: [(stack(7, 42),)])
    shown: tuple[Stack, ...] = ()
    asked_at_s: list[float] = field(default_factory=list)
    now_s: float = 0.0
    pid: int = 7
    started_s: float = 0.0
    pids: tuple[int, ...] = (7,)

    @property
    def printed_bytes(self) -> float:
        return self.prints * self.now_s

    def sample(self, *, rescan: bool = False) -> Sample:
        return Sample(t_s=self.now_s, rss_bytes=0, cpu_s=self.cpu * self.now_s)

    def cpu_since(self, t_s: float) -> float:
        return self.cpu * (self.now_s - t_s)

    own_threads: frozenset[str] = frozenset()

    def wanted_s(self, but: object = ()) -> float:
        return self.wanted * self.now_s

    def running(self) -> bool:
        return self.runs

    def scan(self) -> set[int]:
        return {7}

    def take(self, program: int, forks: object, *, final: bool) -> tuple[Stack, ...]:
        self.asked_at_s.append(self.now_s)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def watch(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[HangKind | None, float]:
    """Poll a silent world for three limits; return the kind of its hang, and when it was proved."""
    monkeypatch.setattr("mlxprobe.supervisor.suspicion.time", SimpleNamespace(monotonic=lambda: world.now_s))
    anything: Any = world
    doubt = Suspicion(child=anything, stacks=anything, log=anything, tree=anything)
    while world.now_s < 3 * LIMIT_S:
        world.now_s += POLL_S
        if doubt.is_proved(world.now_s, LIMIT_S):
            assert doubt.silence is not None
            world.shown = doubt.silence.stacks
            return doubt.silence.kind, world.now_s
    return None, world.now_s


DEADLOCK, STALL, UNKNOWN = HangKind.DEADLOCK, HangKind.STALL, HangKind.UNKNOWN
HERE, THERE, NOWHERE = (stack(7, 42),), (stack(7, 43),), ()
WORLDS = [
    ("no CPU and the same stacks are a deadlock", World(), DEADLOCK, 1.0),
    ("CPU is a stall", World(cpu=1.0), STALL, 1.0),
    ("a little CPU is unclear", World(cpu=0.1), UNKNOWN, 2.0),
    ("CPU waited for on a busy machine is a stall", World(cpu=0.1, wanted=1.0), STALL, 1.0),
    ("a flood of output is a stall, not a deadlock", World(prints=1e8), STALL, 1.0),
    ("a word now and then is no work", World(prints=100), DEADLOCK, 1.0),
    ("a thread that is just running is unclear", World(runs=True), UNKNOWN, 2.0),
    ("a GPU's work cannot be seen", World(device="gpu"), UNKNOWN, 2.0),
    ("stacks that move are unclear", World(answers=[HERE, THERE]), UNKNOWN, 2.0),
    ("no answer at all is unclear", World(answers=[NOWHERE]), UNKNOWN, 2.0),
    ("no answer to the first question is one to the second", World(answers=[NOWHERE, HERE]), DEADLOCK, 1.0),
    ("no answer at the limit is asked for again", World(answers=[HERE, NOWHERE, HERE]), DEADLOCK, 1.1),
]


@pytest.mark.parametrize(("world", "kind", "proved_s"), [case[1:] for case in WORLDS], ids=[case[0] for case in WORLDS])
def test_a_silence_is_classified(
    world: World, kind: HangKind, proved_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, at_s = watch(world, monkeypatch)
    assert found is kind
    assert proved_s < at_s < proved_s + 3 * POLL_S


def test_a_silence_is_asked_about_no_more_often_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    watch(world, monkeypatch)
    assert len(world.asked_at_s) == 2
    unclear = World(runs=True)
    watch(unclear, monkeypatch)
    assert len(unclear.asked_at_s) < 2 + LIMIT_S / suspicion.AGAIN_S


def test_a_busy_program_that_does_not_answer_twice_is_shown_where_it_stood_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(cpu=1.0, answers=[HERE, NOWHERE])
    assert watch(world, monkeypatch)[0] is STALL
    assert world.shown == HERE


def test_a_limit_shorter_than_a_pause_of_ours_still_gets_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(now_s=1.5 * LIMIT_S)
    found, _ = watch(world, monkeypatch)
    assert found is DEADLOCK
    assert world.asked_at_s[1] - world.asked_at_s[0] >= suspicion.AGAIN_S


MOVES = [
    ("the same places are no move", [stack(1, 42), stack(1, 9, "0x2")], [stack(1, 9, "0x2"), stack(1, 42)], True),
    ("another line is a move", [stack(1, 42)], [stack(1, 43)], False),
    ("a thread less is a move", [stack(1, 42), stack(1, 9, "0x2")], [stack(1, 42)], False),
    ("who answered once is not compared", [stack(1, 42), stack(2, 9)], [stack(1, 42), stack(3, 9)], True),
    ("no answer proves nothing", [], [], False),
    ("no common answer proves nothing", [stack(1, 42)], [stack(2, 42)], False),
]


@pytest.mark.parametrize(("early", "late", "same"), [case[1:] for case in MOVES], ids=[case[0] for case in MOVES])
def test_standing_still(early: list[Stack], late: list[Stack], same: bool) -> None:
    assert unmoved(early, late) is same
