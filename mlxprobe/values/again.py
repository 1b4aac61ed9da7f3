"""An observation again, of the row of a record, as far as ranks are compared by it: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from mlxprobe.values.observation import Limits, Observation, Process, Silence, Step
from mlxprobe.values.record import Compared, ProgramRecord
from mlxprobe.values.vocabulary import HangKind, Outcome

Begun = TypeVar("Begun", bound="Started")
PRINTS, IN_VAIN = "parameters hashed", "reduced in vain"
UNKNOWN = Limits(stall_s=0.0, startup_s=0.0, timeout_s=0.0, memory_bytes=0)


def compared(seen: Observation) -> Compared | None:
    """Return what a row needs for its rank to be compared again; None where it has no rank."""
    if seen.process is None or seen.process.rank < 0:
        return None
    return Compared(
        steps=tuple(step.n for step in seen.steps),
        ends_s=tuple(round(step.t_s, 6) for step in seen.steps),
        gradients=tuple(step.gradients for step in seen.steps),
        prints=tuple(fact for fact in seen.facts if fact.name in (PRINTS, IN_VAIN)),
    )


def silence(seen: Observation) -> Silence | None:
    """Return a silence as rows have it: its stacks stand beside it."""
    return seen.silence and msgspec.structs.replace(seen.silence, stacks=())


def observation(row: ProgramRecord) -> Observation:
    """Return what was seen of a rank; `row.compared` says whether it is enough to compare it with others."""
    hangs = row.outcome is Outcome.HANG
    before = Silence(silent_s=0.0, cpu_s=0.0, kind=row.kind or HangKind.UNKNOWN) if hangs else None
    rested = row.silence or before  # of a record that does not know more
    return Observation(
        program=row.program or row.variant,
        limits=row.limits or UNKNOWN,
        process=row.process,
        ended=row.ended or ("stalled" if hangs else "exited"),
        exit_code=row.exit_code,
        begun=bool(row.begun_s or row.steps),
        finished=row.finished or (not row.ended and row.outcome is Outcome.PASS),
        wall_s=row.wall_s,
        detection_s=row.detection_s,
        begun_s=row.begun_s,
        silence=rested and msgspec.structs.replace(rested, stacks=row.stacks),
        raised=row.raised,
        steps=_steps(row),
        losses=row.losses,
        samples=row.samples,
        memory=row.memory,
        facts=row.compared.prints if row.compared else (),
        stacks=() if rested else row.stacks,
        sheet=row.sheet,
        collectives=row.collectives,
        evaluating_s=row.evaluating_s,
    )


def _steps(row: ProgramRecord) -> tuple[Step, ...]:
    known = row.compared
    if known is None:
        return (Step(n=row.steps, t_s=row.steps_s, step_s=row.worst_step_s),) if row.steps else ()
    columns = zip(known.steps, known.ends_s, row.step_s, known.gradients, strict=False)
    return tuple(Step(n=n, t_s=t_s, step_s=step_s, gradients=count) for n, t_s, step_s, count in columns)


class Started(Protocol):
    """What tells of a process, and of when it began."""

    @property
    def process(self) -> Process | None:
        """Which it is."""

    @property
    def begun_s(self) -> float:
        """Since when."""


def jobs(seen: Iterable[Begun]) -> list[list[Begun]]:
    """Part the ranks of a watch into those of one run each, as they began; several runs have the same ranks.

    What a rank has started belongs to it. Those of one run have one parent, where that can be, and follow one another.
    """
    ranks = sorted((one for one in seen if one.process and one.process.rank >= 0), key=lambda one: one.begun_s)
    pids = {one.process.pid for one in ranks if one.process}
    parents: dict[int, set[int]] = {}
    for one in ranks:
        if one.process and one.process.parent not in pids:
            parents.setdefault(one.process.parent, set()).add(one.process.rank)
    apart = all(len(some) > 1 for some in parents.values())
    runs: dict[tuple[int, int], list[Begun]] = {}
    of: dict[int, tuple[int, int]] = {}
    times: dict[tuple[int, int], int] = {}
    for one in ranks:
        if one.process is None:
            continue
        rank, parent = one.process.rank, one.process.parent
        if parent in pids:
            key = of.get(parent, (0, 1))
        else:
            under = parent if apart else 0
            times[under, rank] = times.get((under, rank), 0) + 1
            key = under, times[under, rank]
        of[one.process.pid] = key
        runs.setdefault(key, []).append(one)
    return list(runs.values())


def died_importing(seen: Observation) -> bool:
    """Tell whether a process was gone before its import of MLX had ended; who leaves by an exit code was not ended."""
    killed = seen.exit_code is None or seen.exit_code < 0
    return not seen.begun and seen.process is not None and seen.ended == "exited" and killed


def by_rank(seen: Sequence[Observation]) -> list[Observation]:
    """Return one process of each rank, by rank.

    Of several of one rank, as a loader beside its trainer, the one with the most collectives counts.
    """
    known: dict[int, Observation] = {}
    for one in seen:
        rank = one.process.rank if one.process else -1
        if rank >= 0 and (rank not in known or len(one.collectives) > len(known[rank].collectives)):
            known[rank] = one
    return [known[rank] for rank in sorted(known)]
