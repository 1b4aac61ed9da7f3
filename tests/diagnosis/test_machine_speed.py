"""Verdicts that no machine's speed decides: operations, calls and bytes are counted, and times only compared."""

from __future__ import annotations

import pytest

from mlxprobe.diagnosis.compilation import long_trace
from mlxprobe.diagnosis.evaluation import retained_graph
from mlxprobe.protocol.facts.compilation import LongTrace
from mlxprobe.protocol.facts.memory import GraphRetained
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Limits, Observation, Sighting, Step
from mlxprobe.schema.record import Finding

LIMITS = Limits(stall_s=1.0, startup_s=1.0, timeout_s=1.0, memory_bytes=1)


def traced(speed: float, *, chain: int, calls: int, others_s: float = 0.1, share: float = 1.0) -> list[Finding]:
    """Return what is told of a trace of 1 s on a machine of speed 1, beside the other work of the run.

    `share` is which part of a processor the run has got.
    """
    fact = LongTrace(
        seconds=0.9 / speed,
        evaluation_s=0.1 / speed,
        cpu_s=share / speed,
        ours_s=0.0,
        operations=15_000,
        chain=chain,
        calls=calls,
        traces=1,
    )
    told, wall_s = Sighting(fact=fact, file="train.py", line=3), (1 + others_s) / speed
    return list(long_trace(Observation(program="p", limits=LIMITS, sightings=(told,), wall_s=wall_s)))


@pytest.mark.parametrize("speed", [0.3, 1.0, 100.0])
def test_an_unrolled_loop_is_told_however_fast_the_machine_is(speed: float) -> None:
    assert [one.severity for one in traced(speed, chain=15_000, calls=1)] == [Severity.WARNING]
    assert traced(speed, chain=15_000, calls=1, others_s=10.0) == []
    assert traced(speed, chain=2_000, calls=1) == []
    assert traced(speed, chain=4_000, calls=20) == []


def test_a_large_trace_is_long_by_the_processor_that_it_takes_not_by_what_others_take() -> None:
    assert [one.severity for one in traced(0.1, chain=2_000, calls=20)] == [Severity.NOTE]
    assert traced(0.1, chain=2_000, calls=20, share=0.3) == []


def kept(per_step: float, bytes_per_step: int, resets: int = 0, window: float = 0.0) -> list[Severity]:
    """Return how grave a variable is that keeps some operations and some memory more every step, or until read."""
    fact = GraphRetained(
        variable="total", operations=int(60 * per_step), per_step=per_step, resets=resets, window=window
    )
    kept_bytes = {n: (n % window if resets else n) * bytes_per_step for n in range(1, 61)}
    steps = [Step(n=n, t_s=n, step_s=1.0, pending=0, active_bytes=1000 + int(kept_bytes[n])) for n in kept_bytes]
    told = Sighting(fact=fact, file="train.py", line=3)
    seen = Observation(program="p", limits=LIMITS, steps=tuple(steps), sightings=(told,))
    return [one.severity for one in retained_graph(seen)]


@pytest.mark.parametrize(
    ("per_step", "bytes_per_step", "severity"),
    [(3, 24, Severity.NOTE), (3, 70_000, Severity.WARNING), (30, 24, Severity.WARNING)],
    ids=["scalars", "arrays", "graph"],
)
def test_what_is_kept_pending_is_as_grave_as_the_memory_or_the_graph_that_it_keeps(
    per_step: float, bytes_per_step: int, severity: Severity
) -> None:
    assert kept(per_step, bytes_per_step) == [severity]


def test_what_is_read_and_reset_is_bounded_and_a_note_where_memory_rises_in_between() -> None:
    assert kept(30, 24, resets=2, window=20) == []
    assert kept(30, 120_000, resets=2, window=20) == [Severity.NOTE]
    assert kept(30, 24, resets=1, window=40) == [Severity.WARNING]  # once in the whole run
