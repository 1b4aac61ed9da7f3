"""Collectives that all ranks have built, and not all evaluate: pure."""

from __future__ import annotations

import msgspec

from mlxprobe.diagnosis.ranks.collective_alignment import (
    Lane,
    site,
)
from mlxprobe.diagnosis.ranks.rank_status import (
    at,
    called,
    fates,
    joined,
    named,
    over,
    stopped,
    waits,
)
from mlxprobe.rules.registry import rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import standing
from mlxprobe.schema.observation import Collective
from mlxprobe.schema.record import Finding


def lying(late: Lane, ahead: Lane, after: str) -> Finding:
    """Report an evaluation that waits, though all that its rank has built the other ranks have built too."""
    message = (
        f"rank {late.rank} waits in an evaluation for a collective that all have built (up to number {late.last}) and "
        f"not all evaluate: rank {ahead.rank} went on"
    )
    made = rule("MP703").at(joined(message, after), *standing(late.seen), number=late.last)
    return msgspec.structs.replace(made, ranks=(late.rank,))


def unevaluated(group: list[Lane]) -> Finding | None:
    """Report ranks that have built the same, and wait at different places or no longer."""
    waiting = [one for one in group if stopped(one.seen)]
    others = [one for one in group if one not in waiting]
    after = fates(one.seen for one in group)
    if not group[0].rows:
        return None
    last = waiting[0].at(waiting[0].last)
    who = named(one.rank for one in others) if others else ""
    if others and not all(over(one.seen) for one in others):
        verb = "stands" if len(others) == 1 else "stand"
        message = f"{who} built {called(last, waiting[0].last)} and {verb} elsewhere"
        return at("MP701", joined(message, after), last, [one.seen for one in others], Severity.WARNING)
    if others:
        proved = any(one.at(one.last).begun_s is None for one in others)
        whose = "its end" if len(others) == 1 else "their ends"
        message = f"{who} built {called(last, waiting[0].last)} and came to {whose} without evaluating it"
        severity = Severity.ERROR if proved else Severity.WARNING
        return at("MP703", joined(message, after), _asked(waiting[0], last), [one.seen for one in others], severity)
    places = {standing(one.seen) for one in waiting}
    if any(not waits(one.seen) for one in waiting):
        return None
    message = f"all ranks have built the same {group[0].last} collectives, and wait in evaluations at "
    if len(places) > 1:
        message += "different lines"
    elif any(_may_lie(one) for one in group):
        message += "one line: some have evaluated one that others let lie, or the backend itself does not move"
    else:
        return None
    return at(
        "MP703", joined(message, after), _asked(waiting[0], last), [one.seen for one in waiting], Severity.WARNING
    )


def _may_lie(lane: Lane) -> bool:
    """Tell whether a rank may have gone on past a collective that it never evaluated: not where it has but one line."""
    passed = any(one.done_s is not None and not one.sure for one in lane.rows)
    return passed and len({site(one) for one in lane.rows}) > 1


def _asked(lane: Lane, last: Collective) -> Collective:
    """Put a collective where its rank asked for it, if that is known."""
    file, line = standing(lane.seen)
    raised = lane.seen.raised
    if not file and raised is not None:
        file, line = raised.file, raised.line
    return msgspec.structs.replace(last, file=file, line=line, source="", caller=None) if file else last
