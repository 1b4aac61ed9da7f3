"""Observations of ranks for the pure tests: what each has built, by a word for each collective."""

from __future__ import annotations

from typing import Any

import msgspec
from making import raised, seen

from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.ranks import ParametersHashed
from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.observation import Collective, Frame, Observation, Process, Sighting, Silence, Stack, Step

GRADIENTS, METRIC, VALIDATION = "g", "m", "v"
LINES = {"g": 31, "m": 33, "v": 40, "G": 31, "w": 41}
SHAPES: dict[str, tuple[int, ...]] = {"g": (64,), "G": (32,), "m": (), "v": (), "w": (64,)}
WAITING_S = 3.0
LOST = "[ring] connection to a peer was lost"


def built(words: str, *, waits: bool = False, together: bool = False, group: str = "world") -> tuple[Collective, ...]:
    """Return collectives, a letter each; each evaluated before the next, or all `together`; the last may wait."""
    rows = []
    for k, word in enumerate(words):
        at_s = 1.0 if together else 0.1 * (k + 1)
        open_ = waits and (together or k == len(words) - 1)
        rows.append(
            Collective(
                n=k + 1, operation="all_sum", shape=SHAPES[word], dtype="float32", group=group, file="train.py",
                line=LINES[word], step=words[: k + 1].count("g"), built_s=at_s, begun_s=at_s + 0.01,
                done_s=None if open_ else at_s + 0.02,
            )
        )  # fmt: skip
    return tuple(rows)


def message(n: int, operation: str, peer: int, shape: tuple[int, ...] = (4,), **changes: Any) -> Collective:
    """Return one end of a message."""
    one = Collective(
        n=n, operation=operation, shape=shape, dtype="float32", peer=peer, file="train.py", line=50 + peer, done_s=1.0
    )
    return msgspec.structs.replace(one, **changes)


def process(rank: int, size: int = 2) -> Process:
    return Process(pid=100 + rank, rank=rank, size=size)


def healthy(rank: int, words: str = "", size: int = 2, **changes: Any) -> Observation:
    """Return a rank that came to its end; it has as many steps as gradients averaged."""
    steps = tuple(Step(n=n, t_s=0.1 * n, step_s=0.01, gradients=1) for n in range(1, words.count("g") + 1))
    return seen(**{"process": process(rank, size), "collectives": built(words), "steps": steps} | changes)


def waiting(rank: int, words: str, line: int = 35, size: int = 2, **changes: Any) -> Observation:
    """Return a rank that stands in an evaluation since 6 s."""
    frame = Frame(file="train.py", line=line, function="train", code="mx.eval(value)")
    silence = Silence(
        silent_s=6.0, cpu_s=0.0, kind=HangKind.DEADLOCK, stacks=(Stack(pid=100 + rank, thread="0x1", frames=(frame,)),)
    )
    given = {
        "ended": "stalled", "exit_code": -15, "finished": False, "silence": silence, "evaluating_s": WAITING_S,
        "detection_s": WAITING_S + 6.0, "collectives": built(words, waits=True), "samples": (),
    }  # fmt: skip
    return healthy(rank, words, size, **given | changes)


def elsewhere(rank: int, words: str, line: int = 60, **changes: Any) -> Observation:
    """Return a rank of a hang that stands in Python."""
    return waiting(rank, words, line, evaluating_s=None, collectives=built(words), **changes)


def cut_off(rank: int, words: str, size: int = 2, **changes: Any) -> Observation:
    """Return a rank whose peer went before it came to its last collective."""
    one = raised(LOST)
    given = {
        "raised": one.raised, "exit_code": 1, "finished": False, "collectives": built(words, waits=True)
    }  # fmt: skip
    return healthy(rank, words, size, **given | changes)


def hashed(step: int, bits: str, value: float, of: str = "weight", elements: int = 64) -> Sighting[Fact]:
    """Return what a look has seen of the parameters."""
    fact = ParametersHashed(at=step, of=of, bits=bits, values=(float(value),), elements=elements)
    return Sighting(fact=fact, step=step, file="train.py", line=30)
