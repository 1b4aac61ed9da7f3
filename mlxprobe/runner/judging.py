"""Judge what was seen of a user's program, or of a scenario's variant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mlxprobe.diagnosis import diagnose_ranks, examined, unchecked
from mlxprobe.diagnosis.ranks.rank_progress import unwatched
from mlxprobe.diagnosis.ranks.rank_status import named
from mlxprobe.protocol.facts.work import AgentFailed
from mlxprobe.runner.finding_filter import quoted
from mlxprobe.runner.programs import without_module
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.from_record import died_importing, jobs
from mlxprobe.schema.observation import Environment, Observation, Raised
from mlxprobe.schema.record import Expectation, Finding, ProgramRecord, Remark, Unchecked, Verdict
from mlxprobe.schema.record_io import row
from mlxprobe.verdict.errors import known_error
from mlxprobe.verdict.judge import judge
from mlxprobe.verdict.remarks import REMOTE, UNWATCHED, remarks
from mlxprobe.verdict.rows import of_all_ranks, rated

Told = TypeVar("Told", Finding, Unchecked)

UNSEEN = {  # of a program that had not imported MLX when it was ended, or has not so far
    "running": "MLX has not been imported so far",
    "interrupted": "it was interrupted before it imported MLX",
    "timeout": "it reached its time limit before it imported MLX",
    "memory": "it reached its memory limit before it imported MLX",
    "stalled": "it stood still before it imported MLX",
}


def judged_all(seen: Sequence[Observation], unwatched: str = "") -> tuple[ProgramRecord, ...]:
    """Return a row for each process; each finding knows the ranks of all that have it.

    Args:
        seen: the processes.
        unwatched: why a program that has ended was not watched (see `running.unwatched`).
    """
    together = {id(one): found for job in jobs(seen) for found in [diagnose_ranks(job)] for one in job}
    rows = ranked([judged(one, together.get(id(one), ()), unwatched) for one in seen])
    first = {id(job[0]): job for job in jobs(seen)}
    return tuple(with_unwatched(row, first.get(id(one), ())) for row, one in zip(rows, seen, strict=True))


def with_unwatched(row: ProgramRecord, seen: Sequence[Observation]) -> ProgramRecord:
    """Return a row with a remark on the ranks that were not watched, unless it is known where they run."""
    missing = unwatched(seen)
    if not missing or any(one.name == REMOTE for one in row.remarks):
        return row
    size = max(one.process.size for one in seen if one.process)
    were = "was" if len(missing) == 1 else "were"
    told = f"{named(missing)} of {size} {were} not watched: on another host, or too soon gone"
    remark = Remark(name=UNWATCHED, message=told, detail={"ranks": len(missing)})
    return msgspec.structs.replace(row, remarks=(*row.remarks, remark))


def ranked(rows: Sequence[ProgramRecord]) -> tuple[ProgramRecord, ...]:
    """Add to the findings of several processes the ranks that have the same."""
    ranks: dict[object, set[int]] = {}
    for one in rows if len(rows) > 1 else ():
        for told in one.entries:
            together = isinstance(told, Finding) and told.together
            if one.process is not None and one.process.rank >= 0 and not together:
                ranks.setdefault((one.process.job, told.same), set()).add(one.process.rank)

    def having(one: ProgramRecord, told: Told) -> Told:
        return msgspec.structs.replace(told, ranks=tuple(sorted(ranks.get((_job(one), told.same), told.ranks))))

    return tuple(
        msgspec.structs.replace(
            one,
            findings=tuple(having(one, found) for found in one.findings),
            unchecked=tuple(having(one, gap) for gap in one.unchecked),
        )
        for one in rows
    )


def _job(row: ProgramRecord) -> int:
    return row.process.job if row.process else 0


def judged(seen: Observation, together: Sequence[Finding] = (), unwatched: str = "") -> ProgramRecord:
    """Return the row of one process, with what all of them show."""
    known = remarks(seen)
    if seen.ended in ("exited", "not-started") and seen.exit_code == 0 and not seen.finished:
        seen = msgspec.structs.replace(seen, finished=True)  # by os._exit, or without MLX
    name = Path(seen.program).name
    if not seen.begun and not died_importing(seen):
        error = next((fact.error for fact, _ in seen.every(AgentFailed)), "")
        why = f"mlxprobe could not be loaded into it ({error})" if error else unwatched
        reason = f"{why or UNSEEN.get(seen.ended, 'MLX was not imported')}; nothing was watched"
        verdict = Verdict(outcome=Outcome.UNJUDGED, reason=reason, as_expected=False)
        return rated(row(seen, (), verdict, None, known, program=name))
    findings, failed = examined(seen, together)
    verdict = judge(seen, findings, Expectation())
    gaps = (*failed, *unchecked(seen))
    return rated(row(seen, tuple(map(quoted, findings)), verdict, None, known, unchecked=gaps, program=name))


def judged_users(seen: Observation, name: str, here: Environment) -> ProgramRecord:
    """Return the row of a user's program that ran in the environment of a release."""
    (findings, failed), expectation = examined(seen), Expectation()
    verdict = judge(seen, findings, expectation)
    if lacks := lacked(seen.raised):  # says nothing of MLX
        reason = without_module(here, lacks)
        verdict = Verdict(outcome=Outcome.UNJUDGED, reason=reason, as_expected=False)
    return row(seen, findings, verdict, expectation, unchecked=failed, program=name)


def lacked(raised: Raised | None) -> str:
    """Return the module for want of which a program ended; empty where it ended otherwise, or for one of MLX."""
    found = raised and raised.type == "ModuleNotFoundError" and re.search(r"No module named '([\w.]+)'", raised.message)
    return found[1] if found and found[1].partition(".")[0] != "mlx" else ""


def judged_variant(
    seen: Sequence[Observation], expectation: Expectation, baseline: Sequence[Observation], **names: Any
) -> ProgramRecord:
    """Return the row of a variant; of one that ran on several ranks, all of them together (see `of_all_ranks`)."""
    if len(seen) == 1:
        (one,), (findings, failed) = seen, examined(seen[0])
        verdict = judge(one, findings, expectation, next(iter(baseline), None))
        return row(one, findings, verdict, expectation, tuple(known_error(one)), unchecked=failed, **names)
    together = diagnose_ranks(seen)
    each = msgspec.structs.replace(expectation, finds=(), raises="")
    rows = []
    for k, one in enumerate(seen):
        findings, failed = examined(one, together)
        verdict = judge(one, findings, each, baseline[k] if k < len(baseline) else None)
        rows.append(row(one, findings, verdict, expectation, tuple(known_error(one)), unchecked=failed, **names))
    return of_all_ranks(ranked(rows), expectation)
