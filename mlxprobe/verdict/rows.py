"""The verdict on a whole row: of a watched program, of several runs of one, and of all its ranks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.record import Expectation, Finding, ProgramRecord, Repeat

REPEATS = 2  # of what was not expected, before it counts
GRAVITY = (
    Outcome.CRASH,
    Outcome.HANG,
    Outcome.MEMORY,
    Outcome.ERROR,
    Outcome.NAN,
    Outcome.WRONG,
    Outcome.NO_LEARNING,
    Outcome.SLOW,
    Outcome.UNHEALTHY,
    Outcome.PASS,
    Outcome.UNJUDGED,
    Outcome.SKIPPED,
)


def agreement(outcome: Outcome, reason: str, findings: Iterable[Finding], expectation: Expectation) -> tuple[str, bool]:
    """Return the reason with what was expected and is missing, and whether all is as expected."""
    missing = sorted(set(expectation.finds) - {finding.code for finding in findings})
    if outcome is expectation.expects is Outcome.ERROR and expectation.raises not in reason:
        missing.append(repr(expectation.raises))
    if missing and outcome is expectation.expects:
        reason += f"; expected {', '.join(missing)}, which was not found"
    return reason, outcome is expectation.expects and not missing


def rated(row: ProgramRecord) -> ProgramRecord:
    """Return a row whose outcome and `as_expected` agree with its findings.

    A program that came to its end is `unhealthy` where a finding is an error or a warning.
    """
    if not row.completes:
        return msgspec.structs.replace(row, as_expected=False)
    grave = any(found.severity is not Severity.NOTE for found in row.findings)
    outcome = Outcome.UNHEALTHY if grave else Outcome.PASS
    return msgspec.structs.replace(row, outcome=outcome, as_expected=not grave)


def worst(rows: Sequence[ProgramRecord]) -> ProgramRecord:
    """Return the gravest of the runs that were not as expected, with what became of all of them."""
    if len(rows) == 1:
        return rows[0]
    found = min(rows, key=lambda one: (one.as_expected, GRAVITY.index(one.outcome)))
    return msgspec.structs.replace(
        found,
        repeats=tuple(
            Repeat(outcome=one.outcome, reason=one.reason, as_expected=one.as_expected, kind=one.kind) for one in rows
        ),
    )


def of_all_ranks(rows: Sequence[ProgramRecord], expectation: Expectation) -> ProgramRecord:
    """Return the row of the rank that fared worst, with the findings of all; `ranks` are the rows of each.

    Of those that fared alike it is one that the findings between ranks blame. The outcome is the expected one where
    that rank's is, and all that is expected was found on any of them.
    """
    findings = _all_findings(rows)
    blamed = {rank for one in findings if one.together for rank in one.ranks}
    first = min(rows, key=lambda one: (GRAVITY.index(one.outcome), _rank(one) not in blamed, _rank(one)))
    outcome, reason = first.outcome, _reason(first, rows)
    size = max(one.process.size for one in rows if one.process)
    if len(rows) < size and outcome is Outcome.PASS:
        outcome, reason = Outcome.UNJUDGED, f"of {size} ranks {len(rows)} were seen"
    reason, as_expected = agreement(outcome, reason, findings, expectation)
    return msgspec.structs.replace(
        first,
        outcome=outcome,
        reason=reason,
        as_expected=as_expected,
        findings=findings,
        unchecked=tuple({gap.same: gap for one in rows for gap in one.unchecked}.values()),
        process=None,
        ranks=tuple(rows),
    )


def _all_findings(rows: Sequence[ProgramRecord]) -> tuple[Finding, ...]:
    """Return the findings of all ranks, each once."""
    found: dict[object, Finding] = {}
    for one in (one for row in rows for one in row.findings):
        found.setdefault((one.together, one.same), one)
    return tuple(sorted(found.values(), key=lambda one: one.code))


def _reason(first: ProgramRecord, rows: Sequence[ProgramRecord]) -> str:
    """Return the reason of one rank, with the outcomes of the others."""
    others = [f"rank {_rank(one)}: {one.kind or one.outcome}" for one in rows if one is not first]
    return f"rank {_rank(first)}: {first.reason} ({', '.join(others)})"


def _rank(row: ProgramRecord) -> int:
    return row.process.rank if row.process else -1
