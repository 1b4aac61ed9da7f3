"""Records of ranks that several hosts have written, as one: what it takes all of them to see is sought again. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from mlxprobe.diagnosis import diagnose_ranks
from mlxprobe.diagnosis.finding_causality import explained
from mlxprobe.diagnosis.ranks.rank_status import named
from mlxprobe.runner.finding_filter import quoted
from mlxprobe.runner.judging import ranked, with_unwatched
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.from_record import comparable, observation
from mlxprobe.schema.record import Finding, ProgramRecord, Record
from mlxprobe.verdict.remarks import OF_RANKS
from mlxprobe.verdict.rows import rated


def joined(records: Mapping[str, Record]) -> Record:
    """Return one record of several, by the names of their files: a row for each rank, by rank.

    Each rank's times count from its own host's start: `clock_s` brings them together. Where a record has not what ranks
    are compared by, it says so among its problems, and nothing between ranks is sought.

    Raises:
        UsageError: a record has a row that is no rank's; two have the same rank; they are of groups of other sizes.
    """
    rows = sorted(_ranks(records), key=lambda one: one.process.rank if one.process else -1)
    seen = list(map(observation, rows))
    poor = [one.process.rank for one in rows if one.process and not comparable(one)]
    together = () if poor else tuple(map(quoted, diagnose_ranks(seen)))
    first, *others = ranked([_with(one, together, rows[0]) for one in rows])
    newest = max(records.values(), key=lambda one: one.time)
    return msgspec.structs.replace(
        newest,
        environment=next(iter(records.values())).environment,
        programs=(with_unwatched(first, seen), *others),
        complete=all(one.complete for one in records.values()),
        wall_s=max(one.wall_s for one in records.values()),
        problems=(
            *dict.fromkeys(problem for one in records.values() for problem in one.problems),
            *_told(records, poor),
        ),
    )


def _ranks(records: Mapping[str, Record]) -> list[ProgramRecord]:
    rows: list[ProgramRecord] = []
    for name, record in records.items():
        if not record.programs or any(one.process is None or one.process.rank < 0 for one in record.programs):
            raise UsageError(f"{name}: not only ranks in it; what is joined are records of `watch`, or matrix files")
        rows += record.programs
    known = [one.process for one in rows if one.process]
    twice = [rank for rank, count in Counter(one.rank for one in known).items() if count > 1]
    if twice:
        raise UsageError(f"{', '.join(records)}: {named(twice)} more than once")
    if len(sizes := sorted({one.size for one in known if one.size})) > 1:
        raise UsageError(f"{', '.join(records)}: ranks of {' and of '.join(map(str, sizes))}, which are no one run")
    return rows


def _with(row: ProgramRecord, together: Sequence[Finding], first: ProgramRecord) -> ProgramRecord:
    """Return a row with what all ranks show, in place of what its host's alone did, and how far its clock is off."""
    own = [found for found in row.findings if not found.together]
    remarks = tuple(one for one in row.remarks if one.name not in OF_RANKS)
    findings = tuple(sorted(explained([*own, *together]), key=lambda found: found.code))
    process = row.process and msgspec.structs.replace(row.process, job=0)
    return rated(
        msgspec.structs.replace(
            row, process=process, program=first.program, findings=findings, remarks=remarks, clock_s=_behind(row, first)
        )
    )


def _behind(row: ProgramRecord, first: ProgramRecord) -> float:
    """Return what brings a rank's times to another's: they come out of most collectives together; 0 without any."""
    its, others = ({(c.group, c.n): c.done_s for c in one.collectives if c.peer < 0} for one in (first, row))
    apart = [done_s - others_s for at, done_s in its.items() if done_s and (others_s := others.get(at))]
    return round(first.clock_s + statistics.median(apart), 6) if apart else 0.0


def _told(records: Mapping[str, Record], poor: Sequence[int]) -> list[str]:
    """Say what the joined record does not hold, or cannot."""
    told = []
    if poor:
        told.append(f"the record of {named(poor)} has not what ranks are compared by: nothing between ranks was sought")
    versions = sorted({one.environment.mlx for one in records.values() if one.environment.mlx})
    if len(versions) > 1:
        told.append(f"the hosts have different releases of MLX: {', '.join(versions)}")
    return told
