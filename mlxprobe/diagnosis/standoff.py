"""Ranks of which nothing is heard: who of them must move before any can go on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlxprobe.diagnosis.fates import lost, over, waits
from mlxprobe.diagnosis.lanes import Lane, lanes, parting, rank_of
from mlxprobe.diagnosis.standings import awaited
from mlxprobe.values.again import by_rank
from mlxprobe.values.observation import Observation, Silence
from mlxprobe.values.vocabulary import HangKind

UNKNOWN = Silence(silent_s=0.0, cpu_s=0.0, kind=HangKind.UNKNOWN)


def keeping(seen: Sequence[Observation]) -> set[int] | None:
    """Return the ranks without whose move the others cannot go on: all, where nobody knows; none, where no move helps.

    None of what is not several ranks. A collective of a starved machine takes its time however busy the ranks are that
    wait for it, so only two things count: that what they wait in is not the same, or has lost a rank that has ended; or
    who has not come to it.

    Args:
        seen: the ranks, as of a run that stands still (`stalled`).
    """
    ranks = [msgspec.structs.replace(one, silence=one.silence or UNKNOWN) for one in by_rank(seen)]
    living = [one for one in ranks if not over(one) and not lost(one)]
    if len(ranks) < 2 or not living:
        return None
    waiting = [one for one in living if waits(one) and awaited(one)[0] is not None]
    missing = {rank_of(one) for one in living if one not in waiting}
    if missing:
        return missing if waiting else set(map(rank_of, living))
    return set() if any(map(_never_meet, lanes(ranks))) else set(map(rank_of, living))


def _never_meet(group: list[Lane]) -> bool:
    """Tell whether ranks wait in what is not the same, or for one that has ended without it."""
    if number := parting(group):
        return any(one.first <= number <= one.last and one.at(number).done_s is None for one in group)
    ahead = max(group, key=lambda one: one.last)
    ended = [one for one in group if (over(one.seen) or lost(one.seen)) and one.counted and one.last < ahead.last]
    return bool(ended) and ahead.counted and ahead.at(ahead.last).done_s is None and waits(ahead.seen)
