"""The verdict on a program in one line, which every format says alike: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mlxprobe.reports import phrases
from mlxprobe.reports.cause_groups import ORDER
from mlxprobe.reports.phrases import observed
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.record import ProgramRecord, Remark
from mlxprobe.schema.texts import one_line


def verdict(one: ProgramRecord) -> str:
    """Say in one line what became of a program and how much was found, and how much a baseline has already."""
    counts = Counter(found.severity for found in one.findings)
    found = ", ".join(counted(counts[severity], str(severity)) for severity in ORDER if counts[severity])
    known = "; ".join(one_line(remark.message) for remark in grave(one))
    accepted = f"{one.accepted:,} accepted" if one.accepted else ""
    told = (found or ("no new finding" if accepted else "no finding")) + (f" ({accepted})" if accepted else "")
    if interrupted(one):
        return f"{known}: {told} so far"
    if one.completes:
        doubtful = known or counts.keys() - {Severity.NOTE}  # nothing but its outcome was asked of one that passed
        word = "no error or warning: " if found else "" if accepted else "healthy: "
        word = "not healthy: " if fails(one) else "" if doubtful else word
        return f"{word}{told}{known and '; '}{known}"
    reason = one_line(one.reason).removeprefix(f"{one.kind}: ")
    aside = "; ".join(filter(None, (found, accepted)))
    return f"{observed(one)}: {reason}" + (f" ({aside})" if aside else "")


def grave(one: ProgramRecord) -> tuple[Remark, ...]:
    """Return what is known of a program for which it cannot be called healthy, though nothing speaks against it."""
    return tuple(remark for remark in one.remarks if remark.grave)


def interrupted(one: ProgramRecord) -> bool:
    """Tell whether Ctrl-C ended a program."""
    return any(remark.name == "interrupted" for remark in one.remarks)


def fails(one: ProgramRecord) -> bool:
    """Tell whether something speaks against a program: its outcome, or a finding that is more than a note.

    A program that something was expected of is judged by that alone.
    """
    if one.outcome is Outcome.SKIPPED:
        return False
    if not one.watched:
        return not one.as_expected
    return one.outcome is not Outcome.PASS or any(found.severity is not Severity.NOTE for found in one.findings)


def summary(rows: Sequence[ProgramRecord]) -> str:
    """Return the verdict on a watched program; of scenarios, how many came out as expected."""
    if not rows or not all(one.watched for one in rows):
        return phrases.summary(rows)
    told = dict.fromkeys(map(verdict, rows))
    return next(iter(told)) if len(told) == 1 else f"{len(rows)} processes: {'; '.join(told)}"
