"""Silences classified: deadlock, stall or unclear, from made-up clocks, CPU times and stacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.observation import Frame, Sample, Stack
from mlxprobe.supervisor import hang_detector
from mlxprobe.supervisor.hang_detector import HangDetector, SleepTracker, unmoved
from mlxprobe.supervisor.rank_cpu import CpuUsage
from mlxprobe.system.interface import Thread
from mlxprobe.system.system import system

LIMIT_S = 1.0
POLL_S = 0.05


def stack(pid: int, line: int, thread: str = "0x1") -> Stack:
    return Stack(pid=pid, thread=thread, frames=(Frame(file="train.py", line=line, function="step"),))


@dataclass
class World:
    """A program as child, tree, log and stacks at once; seconds of CPU and of waiting for one, bytes, per second."""

    cpu: float = 0.0
    wanted: float = 0.0
    busy: float | None = None
    prints: float = 0.0
    state: str = "S"
    wakes: bool = False
    waits: str = ""
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

    above: frozenset[int] = frozenset()

    @property
    def on_gpu(self) -> bool:
        return self.device == "gpu"

    rank_usage: Callable[[], Mapping[int, CpuUsage]] = dict
    late: tuple[int, ...] | None = None

    def asked(self, living: object) -> dict[int, list[int]]:
        return {7: []}

    def threads(self, but: object = (), without: object = ()) -> list[Thread]:
        switches = round(100 * self.now_s) if self.cpu or self.wakes else 5
        return [Thread(7, 7, "S", 3, 0), Thread(7, 8, self.state, switches, 0)]

    def scan(self) -> set[int]:
        return {7}

    def take(self, programs: object, *, final: bool) -> tuple[Stack, ...]:
        self.asked_at_s.append(self.now_s)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def watch(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[HangKind | None, float]:
    """Poll a silent world for twelve limits; return the kind of its hang, and when it was proved."""
    monkeypatch.setattr("mlxprobe.supervisor.hang_detector.time", SimpleNamespace(monotonic=lambda: world.now_s))
    monkeypatch.setattr(system, "outside", lambda threads, soon_s, lines: world.waits if threads else "")
    anything: Any = world
    doubt = HangDetector(child=anything, stacks=anything, log=anything, tree=anything)
    while world.now_s < 12 * LIMIT_S:
        world.now_s += POLL_S
        if doubt.is_proved(world.now_s, LIMIT_S, world.busy, lambda _: world.late):
            assert doubt.silence is not None
            world.shown = doubt.silence.stacks
            return doubt.silence.kind, world.now_s
    return None, world.now_s


@pytest.mark.parametrize(("late", "proved"), [((), True), ((7,), False), (None, False)])
def test_what_no_move_helps_is_proved_though_we_get_no_processor(
    late: tuple[int, ...] | None, proved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(late=late)
    monkeypatch.setattr("mlxprobe.supervisor.hang_detector.time", SimpleNamespace(monotonic=lambda: world.now_s))
    anything: Any = world
    doubt = HangDetector(child=anything, stacks=anything, log=anything, tree=anything)
    told = []
    for quiet_s in (0.6, 1.2):
        world.now_s = quiet_s
        told.append(doubt.is_proved(0.2, LIMIT_S, None, lambda _: world.late, quiet_s))
    assert told == [False, proved]


DEADLOCK, STALL, UNKNOWN, WAITING = HangKind.DEADLOCK, HangKind.STALL, HangKind.UNKNOWN, HangKind.WAITING
HERE, THERE, NOWHERE = (stack(7, 42),), (stack(7, 43),), ()
WORLDS = [
    ("threads that sleep where they slept are a deadlock", World(), DEADLOCK, 1.0),
    ("CPU is a stall", World(cpu=1.0), STALL, 1.0),
    ("a little CPU is unclear", World(cpu=0.1), UNKNOWN, 2.0),
    ("a loop that gets half a processor has longer", World(cpu=0.5, wanted=1.0), STALL, 2.0),
    ("who got a tenth of a processor, and slept at a look, has much longer", World(cpu=0.1, wanted=0.9), STALL, 10.0),
    ("a limit measured beside the same load is none on CPU", World(cpu=0.5, wanted=1.0, busy=0.5), STALL, 1.0),
    ("a loop that gets a tenth of a processor has much longer", World(cpu=0.1, wanted=1.0, state="R"), STALL, 10.0),
    ("a flood of output is a stall, not a deadlock", World(prints=1e8, wakes=True), STALL, 1.0),
    ("a word now and then is no work", World(prints=100), DEADLOCK, 1.0),
    ("a thread that wakes now and then is unclear", World(wakes=True), UNKNOWN, 2.0),
    ("a stopped thread is unclear", World(state="T"), UNKNOWN, 2.0),
    ("a thread that gets no processor has much longer", World(state="R"), UNKNOWN, 10.0),
    ("a thread that waits for a disk has much longer", World(state="D"), UNKNOWN, 10.0),
    ("who waits for a person is no deadlock", World(waits="input on its terminal"), WAITING, 2.0),
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
    unclear = World(wakes=True)
    watch(unclear, monkeypatch)
    assert len(unclear.asked_at_s) == 2


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
    assert world.asked_at_s[1] - world.asked_at_s[0] >= hang_detector.AGAIN_S


IN_ALL = [
    ("what no move helps hangs at the limit, however little they had", [], "", STALL, 1.0),
    ("the one that they wait for sleeps", [(0.0, "S")], "", STALL, 1.0),
    ("it waits for a person", [(0.0, "S")], "input on its terminal", WAITING, 2.0),
    ("it computes", [(1.0, "R")], "", STALL, 1.0),
    ("it has got half a processor", [(0.5, "R")], "", STALL, 2.0),
    ("it wants all, and gets a twentieth", [(0.05, "R")], "", STALL, 10.0),
    ("of two that must move one got little", [(1.0, "R"), (0.05, "R")], "", STALL, 10.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ranks", "waits", "kind", "proved_s"), [case[1:] for case in IN_ALL], ids=[case[0] for case in IN_ALL]
)
def test_ranks_hang_by_the_one_that_they_wait_for(
    ranks: list[tuple[float, str]], waits: str, kind: HangKind, proved_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others spin while they wait."""
    world = World(cpu=2.0, wanted=8.0)

    def cpu_usage_of() -> dict[int, CpuUsage]:
        found = {}
        for pid, (used, state) in enumerate(ranks):
            wanted, switches = (world.now_s if state == "R" else 0.0), round(100 * used * world.now_s)
            found[pid] = CpuUsage(used * world.now_s, wanted, [Thread(pid, pid, state, switches, 0)])
        return found

    world.rank_usage, world.waits, world.late = cpu_usage_of, waits, tuple(range(len(ranks)))
    found, at_s = watch(world, monkeypatch)
    assert found is kind
    assert proved_s < at_s < proved_s + 3 * POLL_S


@pytest.mark.parametrize(("share", "proved_s"), [(0.42, 1.0), (0.2, 1.5)])
def test_ranks_whose_carriers_starve_are_held_against_what_they_had_before_they_were_asked(
    share: float, proved_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is under way once each carrier has had a quarter of a second since the first look at it."""
    world = World(cpu=2.0, wanted=8.0)

    def cpu_usage_of() -> dict[int, CpuUsage]:
        used_s = share * world.now_s
        found = {}
        for pid in (7, 9):
            threads = [Thread(pid, pid, "S", 3, 0), Thread(pid, pid + 1, "R", round(100 * used_s), 0)]
            found[pid] = CpuUsage(used_s, world.now_s, threads, {pid + 1: used_s})
        return found

    world.rank_usage, world.late = cpu_usage_of, (7, 9)
    found, at_s = watch(world, monkeypatch)
    assert found is STALL
    assert proved_s < at_s < proved_s + 3 * POLL_S


def rested_s(*looks: tuple[str, int]) -> float:
    """Look once a second at a second thread's state and switches; return how long the tree has slept at the end."""
    rest = SleepTracker()
    for at_s, (state, switches) in enumerate(looks):
        rest.look([Thread(7, 7, "S", 3, 0), Thread(7, 8, state, switches, 0)], float(at_s))
    return rest.lasted_s(len(looks) - 1.0)


RESTS = [
    ("who sleeps at all looks has slept all the time", [("S", 5), ("S", 5), ("S", 5)], 2.0),
    ("who was switched to meanwhile has not", [("S", 5), ("S", 6), ("S", 6)], 1.0),
    ("who waits for a processor does not sleep", [("S", 5), ("S", 5), ("R", 5)], 0.0),
    ("who waits for a disk does not sleep", [("S", 5), ("D", 5), ("S", 6)], 0.0),
    ("who is stopped does not sleep", [("T", 5), ("T", 5)], 0.0),
]


@pytest.mark.parametrize(("looks", "wanted_s"), [case[1:] for case in RESTS], ids=[case[0] for case in RESTS])
def test_a_rest_is_followed(looks: list[tuple[str, int]], wanted_s: float) -> None:
    assert rested_s(*looks) == wanted_s


def test_a_thread_that_came_or_went_ends_the_rest() -> None:
    rest = SleepTracker()
    for at_s, numbers in enumerate(([7, 8], [7, 8], [7])):
        rest.look([Thread(7, number, "S", 3, 0) for number in numbers], float(at_s))
    assert rest.lasted_s(2.0) == 0.0


def test_where_no_system_tells_of_threads_nothing_is_at_rest() -> None:
    rest = SleepTracker()
    for at_s in range(3):
        rest.look([], float(at_s))
    assert (rest.lasted_s(2.0), rest.always_ready) == (0.0, False)


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
