"""Decide how a comparison of releases ends: exit code 0 is for one that happened, or has no wheel to run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mlxprobe.schema.observation import Value
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.upgrade.compare import no_outcome, was_limited
from mlxprobe.upgrade.diff import Change, Comparison, regressions

GOOD, BAD, UNDECIDED = 0, 1, 2
SHOWN = 3  # programs that a reason names


class Decision(Value, frozen=True):
    """An exit code, and the reason of one that is 2."""

    exit_code: int
    why: str = ""


def decide(
    comparisons: Sequence[Comparison], named: Collection[str], *, problem: str = "", skipped: str = ""
) -> Decision:
    """Decide about two releases.

    Args:
        comparisons: of every program that was to run.
        named: the programs that the user asked for by name.
        problem: the reason that nothing could be run.
        skipped: the platform for which a release has no wheel, in a sentence.
    """
    if regressions(comparisons):
        return Decision(exit_code=BAD)
    if problem:
        return Decision(exit_code=UNDECIDED, why=problem)
    if skipped:
        return Decision(exit_code=GOOD)
    missing = {name: "it was not run" for name in named if all(one.program != name for one in comparisons)}
    unlike = missing | {one.program: _reason(one) for one in comparisons if one.change is Change.CANNOT_TELL}
    return _undecided(unlike, named, len(missing) + len(comparisons))


def decide_many(
    rows: Mapping[str, Sequence[ProgramRecord]],
    named: Collection[str],
    *,
    broken: Mapping[str, str],
    failed: Mapping[str, str],
) -> Decision:
    """Decide about a row of releases.

    Args:
        rows: the rows of each release that has a wheel for this platform and imports.
        named: the programs that the user asked for by name.
        broken: the releases that install and do not import, with the error.
        failed: the releases whose environment could not be made, with the reason.
    """
    if broken:
        return Decision(exit_code=BAD)
    if failed:
        return Decision(exit_code=UNDECIDED, why=_listed(failed))
    ran: dict[str, dict[str, ProgramRecord]] = {}  # a shard has some programs of each release
    for release, those in rows.items():
        for one in those:
            ran.setdefault(one.name, {})[release] = one
    unlike = {name: why for name, found in ran.items() if (why := why_incomparable(found))}
    return _undecided(unlike, named, len(ran)) if rows else Decision(exit_code=GOOD)


def _undecided(unlike: Mapping[str, str], named: Collection[str], programs: int) -> Decision:
    """Decide by the programs that could not be compared: all of `programs`, or one that the user named."""
    if len(unlike) == programs:
        return Decision(exit_code=UNDECIDED, why=f"no program could be compared: {_listed(unlike) or 'there is none'}")
    asked = {name: why for name, why in unlike.items() if name in named}
    if asked:
        return Decision(exit_code=UNDECIDED, why=f"could not be compared: {_listed(asked)}")
    return Decision(exit_code=GOOD)


def why_incomparable(rows: Mapping[str, ProgramRecord]) -> str:
    """Return the reason that a program's outcomes on several releases cannot be compared; empty where they can."""
    silent = (f"on {release}: {why}" for release, one in rows.items() if (why := no_outcome(one)))
    limited = all(map(was_limited, rows.values()))
    return next(silent, "") or ("every run was ended by a limit" if limited else "")


def _reason(one: Comparison) -> str:
    return next(found.text for found in one.differences if found.change is Change.CANNOT_TELL)


def _listed(reasons: Mapping[str, str]) -> str:
    """Return names with their reasons; beyond a few, only how many there are."""
    told = [f"{name} ({reason})" for name, reason in [*reasons.items()][:SHOWN]]
    more = len(reasons) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")
