"""The rows of all ranks of one program in, the one row that is told of them out: pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.record import Expectation, Finding, ProgramRecord
from mlxprobe.verdict.repeats import GRAVITY


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
    missing = sorted(set(expectation.finds) - {one.code for one in findings})
    if outcome is expectation.expects is Outcome.ERROR and expectation.raises not in reason:
        missing.append(repr(expectation.raises))
    if missing and outcome is expectation.expects:
        reason += f"; expected {', '.join(missing)}, which was not found"
    return msgspec.structs.replace(
        first,
        outcome=outcome,
        reason=reason,
        as_expected=outcome is expectation.expects and not missing,
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
    """Tell what became of one rank, and in a word of the others."""
    others = [f"rank {_rank(one)}: {one.kind or one.outcome}" for one in rows if one is not first]
    return f"rank {_rank(first)}: {first.reason} ({', '.join(others)})"


def _rank(row: ProgramRecord) -> int:
    return row.process.rank if row.process else -1
