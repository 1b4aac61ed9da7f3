"""Several processes of one watched program as one: what they have in common is said once, with the ranks: pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlxprobe.schema.record import Finding, ProgramRecord, Unchecked


def whole(rows: Sequence[ProgramRecord]) -> ProgramRecord:
    """Return one row for a program: its first process's that ended badly, else its first, with all that was found."""
    worst = min(rows, key=lambda one: (one.completes, one.as_expected))
    return msgspec.structs.replace(
        worst,
        findings=tuple({found.same: found for one in rows for found in one.findings}.values()),
        unchecked=tuple({gap.same: gap for one in rows for gap in one.unchecked}.values()),
    )


def said_once(rows: Sequence[ProgramRecord]) -> list[ProgramRecord]:
    """Return rows each of whose findings says which processes have it, and stands in the first of them alone.

    So does what could not be checked. Rows of scenarios, and a program with one process, stay as they are.
    """
    groups: dict[str, list[ProgramRecord]] = {}
    for one in rows:
        groups.setdefault(one.program, []).append(one)
    return [_first_told(one, groups[one.program]) if one.program else one for one in rows]


def _first_told(row: ProgramRecord, rows: Sequence[ProgramRecord]) -> ProgramRecord:
    if len(rows) < 2:
        return row
    earlier = rows[: next(k for k, one in enumerate(rows) if one is row)]
    before = {one.same for other in earlier for one in other.entries}
    findings = tuple(
        found if found.together else msgspec.structs.replace(found, message=f"{found.message} ({having(found, rows)})")
        for found in row.findings
        if found.same not in before
    )
    unchecked = tuple(
        msgspec.structs.replace(gap, why=f"{gap.why} ({having(gap, rows)})")
        for gap in row.unchecked
        if gap.same not in before
    )
    return msgspec.structs.replace(row, findings=findings, unchecked=unchecked)


def having(found: Finding | Unchecked, rows: Sequence[ProgramRecord]) -> str:
    """Say which of a program's processes have a finding, or cannot be checked for one, as "ranks 0 and 2"."""
    have = [one for one in rows if any(found.same == other.same for other in one.entries)]
    of_one_job = len({one.process.job for one in rows if one.process}) == 1
    if len(have) == len(rows):
        return f"all {len(rows)} {'ranks' if found.ranks and of_one_job else 'processes'}"
    if not found.ranks or not of_one_job:
        return f"{len(have)} of {len(rows)} processes"
    *first, last = map(str, found.ranks)
    return f"ranks {', '.join(first)} and {last}" if first else f"rank {last}"


def heading(row: ProgramRecord, rows: Sequence[ProgramRecord]) -> list[str]:
    """Return the lines above what is said of one process, where there are several."""
    if len(rows) < 2:
        return []
    name = f"process {row.process.pid}" if row.process else row.label
    if row.process and row.process.rank >= 0:
        job = f"job {row.process.job}, " if row.process.job else ""
        name = f"{job}rank {row.process.rank}" + (f" of {row.process.size}" if row.process.size else "") + f", {name}"
    return [*([""] if row is not rows[0] else []), f"{name}:"]
