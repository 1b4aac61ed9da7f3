"""A rank that trains on after all others have ended, with gradients of its own: pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mlxprobe.diagnosis.ranks.collective_alignment import rank_of
from mlxprobe.diagnosis.ranks.rank_status import at, fewer_rounds, joined, named, over
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Collective, Observation
from mlxprobe.schema.record import Finding

REDUCING = {"all_sum", "sum_scatter", "all_gather"}
ENOUGH_STEPS = 4
MOSTLY = 0.9  # of the steps that all have made


def trained_on(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Tell of steps that one rank makes beyond those of all others, where all before reduced and none of them does.

    A note: it may be meant so.
    """
    known = [one for one in seen if one.process and one.process.size == len(seen) > 1 and over(one) and one.steps]
    rows = [row for one in seen for row in one.collectives]
    if len(known) < len(seen) or any(row.traced or row.peer >= 0 for row in rows):
        return
    ahead = max(seen, key=lambda one: one.steps[-1].n)
    others = [one for one in seen if one is not ahead]
    ended = max(one.steps[-1].n for one in others)
    reducing = [{row.step for row in one.collectives if row.operation in REDUCING} for one in seen]
    before = [len({n for n in one if n <= ended}) for one in reducing]
    later = ahead.steps[-1].n - ended
    if later < ENOUGH_STEPS or max(map(max, filter(None, reducing)), default=math.inf) > ended:
        return
    if min(before) < max(ENOUGH_STEPS, MOSTLY * ended) or min(one.steps[-1].n for one in others) < ended:
        return
    last = next(row for row in reversed(ahead.collectives) if row.operation in REDUCING)
    yield _told(ahead, others, last, later)


def _told(ahead: Observation, others: Sequence[Observation], last: Collective, later: int) -> Finding:
    ends = f"{named(map(rank_of, others))} came to {'its end' if len(others) == 1 else 'their ends'}"
    message = f"rank {rank_of(ahead)} trains on alone for {later:,} steps, in which nothing is reduced: {ends} at step "
    message += f"{others[0].steps[-1].n:,}"
    return at("MP708", joined(message, fewer_rounds(others[0])), last, [ahead], Severity.NOTE)
