"""Several runs of one program in, the one row that is told of them out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.record import ProgramRecord, Repeat

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
