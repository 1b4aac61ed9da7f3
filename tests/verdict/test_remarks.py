"""What is known of a run beside its findings: each row one observation and what must be said of it."""

import pytest
from making import raised, seen

from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.gradients import FirstGradient
from mlxprobe.protocol.facts.memory import MemoryNearlyGone
from mlxprobe.protocol.facts.processes import (
    AnotherProcess,
    ChildEnded,
    Children,
    FatalError,
    ProcessesLeftOut,
    RemoteRank,
)
from mlxprobe.protocol.facts.updates import GradientsUnused
from mlxprobe.protocol.facts.work import EventLost
from mlxprobe.schema.observation import Observation, Sighting
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.verdict.remarks import remarks


def child(pid: int, status: int, *, worker: bool = False) -> Sighting[Fact]:
    return Sighting(fact=ChildEnded(pid=pid, status=status, worker=worker))


def other(pid: int) -> Sighting[Fact]:
    return Sighting(fact=AnotherProcess(pid=pid))


def lost(what: str, count: int = 1) -> Sighting[Fact]:
    return Sighting(fact=EventLost(event=what), count=count)


UNUSED = Sighting(fact=GradientsUnused(gradients=20, optimizers=1))
CHILDREN = Sighting(fact=Children(children=5))
FATAL = Sighting(fact=FatalError(error="Segmentation fault"))
MACHINE, DEVICE = (
    Sighting(
        fact=MemoryNearlyGone(available_bytes=10**9, total_bytes=24 * 10**9, held_bytes=20 * 10**9, gpu=gpu), step=7
    )
    for gpu in (False, True)
)
FAR = [Sighting(fact=RemoteRank(rank=k, host=f"studio{k}", command="python a.py")) for k in (1, 2)]
THERE = (
    "reached by ssh, and cannot be watched from here; to have every rank watched on its own host, give the launcher, "
    "in place of the program: bash -c 'exec mlxprobe watch --format json --output rank-$MLX_RANK.json -- python a.py'; "
    "then join the files: mlxprobe merge rank-0.json rank-1.json"
)
SAID = [
    ("a healthy run", seen(), []),
    ("no step", seen(steps=()), ["no training step was seen: nothing can be said of training"]),
    ("no update", seen(sheet=Sheet(gradients=20)),
     ["not checked: whether parameters are updated (no update was seen in 20 gradient calls)"]),
    ("arguments that change", seen(sheet=Sheet(gradients=20, unfollowed=19)),
     ["not checked: whether parameters are updated (no update was seen in 20 gradient calls; 19 of them were given "
      "other arrays than the call before: parameters or data)"]),
    ("updates by hand", seen(sheet=Sheet(gradients=20, updates=20, by_hand=20)), []),
    ("updates in place", seen(sheet=Sheet(gradients=20, uncounted=True)), []),
    ("no update, as MP205 says", seen(sheet=Sheet(gradients=20), sightings=(UNUSED,)), []),
    ("in the first step", seen(steps=(), sightings=(Sighting(fact=FirstGradient()),)),
     ["the first training step has not ended: little can be said of training"]),
    ("no MLX", seen(steps=(), begun=False), []),
    ("another process", seen(sightings=(other(7), other(7))), ["process 7 imported MLX too, and was not watched"]),
    ("two of them", seen(sightings=(other(8), other(7))), ["processes 7, 8 imported MLX too, and were not watched"]),
    ("too many processes", seen(sightings=(Sighting(fact=ProcessesLeftOut(), count=3),)),
     ["of 3 further processes with MLX nothing was taken in: they are too many"]),
    ("a lost event", seen(sightings=(lost("fact clip"),)),
     ["1 event was lost (fact clip): not every check could run"]),
    ("several of them", seen(sightings=(lost("fact b", 3), *(lost(f"fact {k}") for k in range(6)))),
     ["9 events were lost (fact 0, fact 1, fact 2, fact 3, fact 4, …): not every check could run"]),
    ("a rank on another host", seen(sightings=(FAR[0], FAR[0])), [f"rank 1 runs on studio1, {THERE}"]),
    ("two of them there", seen(sightings=(*FAR,)), [f"ranks 1, 2 run on studio1, studio2, {THERE}"]),
    ("a child that crashed", seen(sightings=(child(7, -11),)), ["1 child process, one ended by SIGSEGV"]),
    ("told twice, as waitpid and its caller do", seen(sightings=(child(7, -11), child(7, -11, worker=True))),
     ["1 child process, one ended by SIGSEGV"]),
    ("some of five", seen(sightings=(child(7, -11), child(8, -11), child(9, -9), CHILDREN)),
     ["5 child processes, 2 ended by SIGSEGV, one ended by SIGKILL"]),
    ("a crash below a shell", seen(sightings=(child(7, 139),)), ["1 child process, one ended by SIGSEGV"]),
    ("a child that was asked to end", seen(sightings=(child(7, -15), child(8, -2), child(9, 143))), []),
    ("a worker that failed", seen(sightings=(child(7, 1, worker=True),)),
     ["1 child process, one left with exit code 1"]),
    ("a command whose exit code is its answer", seen(sightings=(child(7, 1),)), []),
    ("a launcher's rank that failed", seen(steps=(), sightings=(child(7, 1),)),
     ["no training step was seen: nothing can be said of training", "1 child process, one left with exit code 1"]),
    ("a launcher that a shell cannot obey: `mlx.launch -n 2 train.py`",
     seen(steps=(), sightings=(child(7, 126), child(8, 126))),
     ["no training step was seen: nothing can be said of training",
      "2 child processes, 2 left with exit code 126 (a shell may not execute what it was given: write "
      "`python train.py`, not `train.py`)"]),
    ("a crash that nobody waited for", seen(sightings=(FATAL,)), ["one of its processes crashed: Segmentation fault"]),
    ("its own crash", seen(exit_code=-11, finished=False, sightings=(FATAL,)), []),
    ("an end without ceremony", seen(finished=False),
     ["it left past Python's own ending (os._exit, os.exec); what came after was not seen"]),
    ("an interrupt", seen(exit_code=-2, finished=False), ["interrupted by Ctrl-C, at step 20"]),
    ("an interrupt of what moved no more", seen(exit_code=-2, wall_s=seen().steps[-1].t_s + 900.4),
     [f"interrupted by Ctrl-C, at step 20, 900 s after it ended (the slowest one took "
      f"{max(one.step_s for one in seen().steps):.2g} s)"]),
    ("an interrupt that a shell tells", seen(exit_code=130), ["interrupted by Ctrl-C, at step 20"]),
    ("the machine's memory", seen(sightings=(MACHINE,)),
     ["the machine's memory is nearly used up: 1000 MB of 24000 MB left at step 7, 20000 MB held by the program"]),
    ("the GPU's memory", seen(sightings=(DEVICE,)),
     ["the GPU's memory is nearly used up: 1000 MB of 24000 MB left at step 7, 20000 MB held by MLX"]),
]  # fmt: skip


@pytest.mark.parametrize(("observation", "said"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_it_is_said_of(observation: Observation, said: list[str]) -> None:
    assert [one.message for one in remarks(observation)] == said


def test_an_exception_of_the_programs_own_is_no_interrupt() -> None:
    assert remarks(raised()) == ()
    assert remarks(seen(exit_code=-2, ended="stalled")) == ()
