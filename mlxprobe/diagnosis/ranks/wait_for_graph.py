"""Ranks of which nothing is heard: who of them must move before any can go on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from mlxprobe.diagnosis.ranks.collective_alignment import Lane, lanes, parting, rank_of
from mlxprobe.diagnosis.ranks.point_to_point import wanting
from mlxprobe.diagnosis.ranks.rank_progress import awaited
from mlxprobe.diagnosis.ranks.rank_status import lost, over, waits
from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.from_record import by_rank
from mlxprobe.schema.observation import Observation, Silence

UNKNOWN = Silence(silent_s=0.0, cpu_s=0.0, kind=HangKind.UNKNOWN)


def keeping(seen: Sequence[Observation], heard: Collection[int] | None = None) -> set[int] | None:
    """Return the ranks without whose move the others cannot go on: all, where nobody knows; none, where no move helps.

    None of what is not several ranks. A collective of a starved machine takes its time however busy the ranks are that
    wait for it, so only two things count: that what they wait in is not the same, or has lost a rank that has ended; or
    who has not come to it.

    Args:
        seen: the ranks, as of a run that stands still (`stalled`).
        heard: the processes that have told all they built, in the silence; None for all. What one of the others has not
            built it may only not have told.
    """
    ranks = [msgspec.structs.replace(one, silence=one.silence or UNKNOWN) for one in by_rank(seen)]
    living = [one for one in ranks if not over(one) and not lost(one)]
    if len(ranks) < 2 or not living:
        return None
    waiting = [one for one in living if waits(one) and awaited(one)[0] is not None]
    missing = {rank_of(one) for one in living if one not in waiting}
    if missing:
        return missing if waiting else set(map(rank_of, living))
    groups = list(lanes(ranks))
    if any(map(_never_meet, groups)):
        return set()
    told = heard is None or all(one.process and one.process.pid in heard for one in living)
    dead = told and _circle({rank_of(one): _needs(one, ranks, groups) for one in living})
    return set() if dead else set(map(rank_of, living))


def _never_meet(group: list[Lane]) -> bool:
    """Tell whether ranks wait in what is not the same."""
    number = parting(group)
    return bool(number) and any(one.first <= number <= one.last and one.at(number).done_s is None for one in group)


def _needs(seen: Observation, ranks: Sequence[Observation], groups: Sequence[list[Lane]]) -> set[int]:
    """Return the ranks that have yet to build what one waits in: its collective, or the other end of its message."""
    row, _ = awaited(seen)
    if row is None:
        return set()
    if row.peer >= 0:
        return {row.peer} if wanting(seen, row, ranks) else set()
    for group in groups:
        mine = next((one for one in group if one.seen is seen), None)
        place = [k for k, one in enumerate(mine.rows) if (one.group, one.n) == (row.group, row.n)] if mine else []
        if mine and place and all(one.counted for one in group):
            return {one.rank for one in group if one.last < mine.first + place[0]}
    return set()


def _circle(needs: Mapping[int, set[int]]) -> bool:
    """Tell whether some of those who live can never go on: they need one another, or one that has ended."""
    free: set[int] = set()
    while more := {rank for rank, needed in needs.items() if needed <= free} - free:
        free |= more
    return len(free) < len(needs)
