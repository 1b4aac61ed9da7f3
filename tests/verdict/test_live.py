"""What a look means, from made-up threads: idle is idle, busy is busy, and only what is proved is a hang."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mlxprobe.schema.enums import HangKind, Live
from mlxprobe.schema.live import LiveProcess, LiveThread, Looked, Scope
from mlxprobe.schema.observation import Frame, Stack
from mlxprobe.verdict.live import judge
from mlxprobe.verdict.mlx_wait_state import standing, upstream

LOCK = "a lock or condition, without a time limit"
WAITS = ("pthread_cond_wait", "mlx::core::Event::wait", "mlx::core::eval")
EVAL = ("pthread_cond_wait", "mlx::core::eval_impl", "mlx::core::eval")
RING = ("mlx::core::distributed::ring::RingGroup::all_reduce_impl",)
HERE = Frame(file="/home/me/train.py", line=42, function="step", code="mx.eval(loss)")


def native(names: tuple[str, ...]) -> tuple[Frame, ...]:
    return tuple(Frame(file="/opt/mlx/lib/libmlx.so" if "::" in one else "/lib/libc.so.6", line=0, function=one)
                 for one in names)  # fmt: skip


def thread(*names: str, number: int = 7, pid: int = 7, **changes: Any) -> LiveThread:
    """Return a main thread that sleeps on a lock, in these native calls."""
    stack = Stack(pid=pid, thread="MainThread", frames=(HERE,), native=native(names))
    made = LiveThread(number=number, state="S", python=True, slept_s=5.0, waits=LOCK, looks=190, stack=stack)
    return msgspec.structs.replace(made, **changes)


def own(*names: str, number: int = 9, **changes: Any) -> LiveThread:
    """Return a thread of MLX's own."""
    made = LiveThread(number=number, state="S", slept_s=5.0, waits=LOCK, native=native(names))
    return msgspec.structs.replace(made, **changes)


def process(*threads: LiveThread, pid: int = 7, **changes: Any) -> LiveProcess:
    return msgspec.structs.replace(LiveProcess(pid=pid, python=True, threads=threads), **changes)


def looked(*processes: LiveProcess, **changes: Any) -> Looked:
    made = Looked(pid=7, looked_s=2.0, limit_s=1.2, silent_s=2.0, processes=processes)
    return msgspec.structs.replace(made, **changes)


SLEEP: dict[str, Any] = {"outer": True, "waits": "the end of a sleep: 9 s are left"}
BUSY: dict[str, Any] = {"state": "R", "waits": "", "slept_s": None}
RANKS = (
    process(thread(*WAITS), own(*RING), rank=0),
    process(thread(*WAITS, number=8, pid=8), own(*RING, number=10), pid=8, rank=1),
)
ROUND = process(
    thread(cpu_s=1.9, cpu_share=1.0, scope=Scope(file="/home/me/train.py", function="step", first=40, last=42), **BUSY),
    cpu_share=1.0,
    may_progress=False,
)
DEAD, STALLED = HangKind.DEADLOCK, HangKind.STALL
CASES: list[tuple[str, Live, Looked]] = [
    ("asleep in MLX", Live.DEADLOCK, looked(process(thread(*WAITS)))),
    ("asleep in MLX beside a thread that beats", Live.DEADLOCK,
     looked(process(thread(*WAITS), thread(number=8, bystander=True, switches=9, **SLEEP)))),
    ("asleep in MLX while MLX computes", Live.ALIVE,
     looked(process(thread(*EVAL), own(cpu_share=0.9, **BUSY), cpu_share=0.9), kind=STALLED)),
    ("asleep in MLX while the GPU may compute", Live.UNJUDGED, looked(process(thread(*WAITS), gpu=True))),
    ("all at rest in Python", Live.DEADLOCK, looked(process(thread()), kind=DEAD)),
    ("at rest, and nothing was proved", Live.UNJUDGED, looked(process(thread()))),
    ("about to run, on a machine that others use", Live.ALIVE, looked(process(thread(**BUSY), cpu_share=0.05))),
    ("at rest while a thread sleeps for a time", Live.IDLE,
     looked(process(thread(), thread(number=8, **SLEEP)), kind=DEAD)),
    ("asleep in a sleep", Live.IDLE, looked(process(thread(**SLEEP)), kind=DEAD)),
    ("stopped", Live.IDLE, looked(process(thread(state="T", outer=True, waits="a signal to go on: it is stopped")))),
    ("moving", Live.ALIVE, looked(process(thread(*EVAL)), moved=(7,))),
    ("a loop in Python beside which nothing of MLX runs", Live.ALIVE, looked(ROUND, moved=(7,))),
    ("the same for as long as was asked", Live.STALL, looked(ROUND, moved=(7,), limit_given=True)),
    ("the same, while MLX may have run", Live.ALIVE,
     looked(msgspec.structs.replace(ROUND, may_progress=True), moved=(7,), limit_given=True)),
    ("a loop that looks now and then whether it may go on", Live.ALIVE,
     looked(process(thread(cpu_s=0.02), may_progress=False), moved=(7,), limit_given=True)),
    ("a loop that is left next to no processor", Live.STALL,
     looked(process(thread(cpu_s=0.15, waited_s=1.7), may_progress=False), moved=(7,), limit_given=True)),
    ("a sleep of more than ten times the limit that was asked for", Live.DEADLOCK,
     looked(process(thread(**SLEEP)), kind=DEAD, limit_given=True)),
    ("a compiler works", Live.ALIVE, looked(process(thread(*WAITS)), compiles=True)),
    ("one evaluation sends off very many operations", Live.STALL,
     looked(process(thread(*EVAL, proved=True, cpu_share=0.5, switches=9), cpu_share=1.0), kind=STALLED)),
    ("the same, while it had next to no processor", Live.ALIVE,
     looked(process(thread(*EVAL, cpu_s=0.9, cpu_share=0.5), cpu_share=1.0), kind=STALLED)),
    ("the same, hardly looked at", Live.ALIVE,
     looked(process(thread(*EVAL, proved=True, cpu_share=0.5, looks=3), cpu_share=1.0), kind=STALLED)),
    ("busy in Python", Live.ALIVE, looked(process(thread(cpu_s=1.9, cpu_share=1.0, **BUSY), cpu_share=1.0))),
    ("the same for as long as was asked", Live.STALL,
     looked(process(thread(cpu_s=1.9, cpu_share=1.0, **BUSY), cpu_share=1.0), limit_given=True)),
    ("swap", Live.ALIVE, looked(process(thread(state="D", outer=True, waits="a disk"), read_pages=9000))),
    ("no stack", Live.UNJUDGED, looked(process(own()))),
    ("gone", Live.UNJUDGED, looked(ended=True)),
    ("all ranks in a collective", Live.DEADLOCK, looked(*RANKS)),
    ("one rank of all in a collective", Live.IDLE, looked(RANKS[0])),
    ("a rank sleeps elsewhere", Live.IDLE,
     looked(RANKS[0], process(thread(number=8, pid=8, **SLEEP), pid=8, rank=1))),
    ("a rank computes elsewhere", Live.ALIVE,
     looked(RANKS[0], process(thread(number=8, pid=8, cpu_share=1.0, **BUSY), pid=8, rank=1, cpu_share=1.0))),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "look"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_look_is_judged(wanted: Live, look: Looked) -> None:
    state, reason = judge(look)
    assert state is wanted, reason


def test_a_loop_is_named_and_what_cannot_be_told_of_it() -> None:
    _, reason = judge(looked(ROUND, moved=(7,)))
    assert reason.startswith("its Python code moves, always in step at train.py:40–42; ")
    assert "whether that is progress is not visible from outside" in reason


def test_mlx_is_placed_in_words() -> None:
    look = looked(process(thread(*WAITS)))
    assert "waits for an array" in standing(look, look.processes[0].threads)
    assert "peer of the ring" in standing(looked(*RANKS), RANKS[0].threads)
    assert standing(looked(process(thread())), [thread()]) == ""


SPINS = own(number=11, cpu_s=0.5, **BUSY)
KNOWN = [
    ("a condition variable in eval_impl", looked(process(thread(*EVAL))), "mlx-lm/issues/1834"),
    ("a ring that spins", looked(*(msgspec.structs.replace(one, threads=(*one.threads, SPINS)) for one in RANKS)),
     "mlx/issues/4475"),
    ("a ring without its socket threads", looked(*RANKS), "mlx/issues/3862"),
    ("a stream awaited", looked(process(thread("pthread_cond_wait", "mlx::core::synchronize"))), "mlx/pull/4413"),
]  # fmt: skip


@pytest.mark.parametrize(("look", "found"), [case[1:] for case in KNOWN], ids=[case[0] for case in KNOWN])
def test_a_known_hang_is_told_with_its_thread(look: Looked, found: str) -> None:
    assert [one.thread for one in upstream(look, Live.DEADLOCK) if found in one.thread]
    assert len(upstream(look, Live.DEADLOCK)) == 1
    assert upstream(look, Live.ALIVE) == ()


def test_a_hang_of_the_programs_own_is_no_known_one() -> None:
    assert upstream(looked(process(thread(*WAITS))), Live.DEADLOCK) == ()
    assert upstream(looked(process(thread())), Live.DEADLOCK) == ()
