"""An observation again, of the row of a record, as far as ranks are compared by it: pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from mlxprobe.protocol.fact import FACTS, Fact, MalformedFactError, decoded
from mlxprobe.protocol.facts import ranks as facts_of_ranks
from mlxprobe.schema.enums import HangKind, Outcome
from mlxprobe.schema.metrics import counted_steps
from mlxprobe.schema.observation import Limits, Observation, Process, Sighting, Silence, Step
from mlxprobe.schema.record import Compared, ProgramRecord, StoredFact

Begun = TypeVar("Begun", bound="Started")
COMPARED = tuple(one for one in FACTS.values() if one.__module__ == facts_of_ranks.__name__)
WHERE = ("step", "file", "line", "source", "caller", "count")
UNKNOWN = Limits(stall_s=0.0, startup_s=0.0, timeout_s=0.0, memory_bytes=0)


def compared(seen: Observation) -> Compared | None:
    """Return what a row needs for its rank to be compared again; None where it has no rank."""
    if seen.process is None or seen.process.rank < 0:
        return None
    steps = counted_steps(seen)
    return Compared(
        steps=tuple(step.n for step in steps),
        ends_s=tuple(round(step.t_s, 6) for step in steps),
        gradients=tuple(step.gradients for step in steps),
        facts=tuple(map(_stored, (one for one in seen.sightings if isinstance(one.fact, COMPARED)))),
    )


def _stored(one: Sighting[Fact]) -> StoredFact:
    where = {name: getattr(one, name) for name in WHERE}
    return StoredFact(type=type(one.fact).__name__, fields=one.fact.as_given(), **where)


def _read(stored: Iterable[StoredFact]) -> Iterator[Sighting[Fact]]:
    """Read facts of a record; those that are malformed are left out."""
    for one in stored:
        with contextlib.suppress(MalformedFactError):
            fact = decoded(one.type, one.fields)
            yield Sighting(fact=fact, **{name: getattr(one, name) for name in WHERE})


def comparable(row: ProgramRecord) -> bool:
    """Check whether a row has what its rank is compared with others by."""
    return bool(row.ended) and row.compared is not None and row.compared.facts is not None


def silence(seen: Observation) -> Silence | None:
    """Return a silence as rows have it: its stacks stand beside it."""
    return seen.silence and msgspec.structs.replace(seen.silence, stacks=())


def observation(row: ProgramRecord) -> Observation:
    """Return what was seen of a rank; `comparable` says whether it is enough to compare it with others."""
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
        finished=row.finished or (not row.ended and row.completes),
        wall_s=row.wall_s,
        detection_s=row.detection_s,
        begun_s=row.begun_s,
        silence=rested and msgspec.structs.replace(rested, stacks=row.stacks),
        raised=row.raised,
        steps=_steps(row),
        losses=row.losses,
        samples=row.samples,
        memory=row.memory,
        sightings=tuple(_read((row.compared and row.compared.facts) or ())),
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
    """What tells of a process."""

    @property
    def process(self) -> Process | None:
        """Which it is."""


def jobs(seen: Iterable[Begun]) -> list[list[Begun]]:
    """Part the ranks of a watch into those of one job each."""
    found: dict[int, list[Begun]] = {}
    for one in seen:
        if one.process and one.process.rank >= 0:
            found.setdefault(one.process.job, []).append(one)
    return [found[number] for number in sorted(found)]


def died_importing(seen: Observation) -> bool:
    """Check whether a process was gone before its import of MLX had ended; who leaves by an exit code was not ended."""
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
