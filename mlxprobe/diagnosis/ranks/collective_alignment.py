"""What each rank of a group has built, side by side: where two of them part, and which way. Pure.

Ranks are compared by the order in which they built. MLX runs what one evaluation holds in the order of its graph, so
within one evaluation another order proves nothing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from mlxprobe.schema.observation import Collective, Observation

WORLD = "world"
AHEAD = 8  # collectives in a row that one rank leaves out
Key = tuple[str, tuple[int, ...], str, str]
Site = tuple[str, int, str]


@dataclass(frozen=True)
class Lane:
    """The collectives of all that one rank has built in a group, numbered from `first` without a gap.

    Compiled functions run again what was built in them once: where there are any, how many were built says nothing
    (`counted`).
    """

    seen: Observation
    rows: tuple[Collective, ...] = ()
    first: int = 1
    counted: bool = True

    @property
    def rank(self) -> int:
        """The rank among all."""
        return rank_of(self.seen)

    @property
    def last(self) -> int:
        """The number of its last."""
        return self.first + len(self.rows) - 1

    def at(self, number: int) -> Collective:
        """Return the one of a number."""
        return self.rows[number - self.first]

    def onwards(self, number: int) -> list[tuple[Site, Key]]:
        """List what it built from a number on: of several lanes, the least stands for all, whichever ranks they are."""
        return [(site(one), key(one)) for one in self.rows[number - self.first :]]

    def sites(self, until: int) -> list[Site]:
        """List where those before a number were built."""
        return [site(one) for one in self.rows[: max(0, until - self.first)]]


def rank_of(seen: Observation) -> int:
    """Return the rank of a process that has one."""
    return seen.process.rank if seen.process else -1


def key(one: Collective) -> Key:
    """Return what must be alike on all ranks."""
    return one.operation, one.shape, one.dtype, one.leaf


def site(one: Collective) -> Site:
    """Return where it was built, and on which way."""
    return one.file, one.line, one.way


def course(lane: Lane) -> list[Site]:
    """Return where all was built: of lanes that are as long, the same one is chosen whatever their ranks are."""
    return [site(one) for one in lane.rows]


def lanes(seen: Sequence[Observation]) -> Iterator[list[Lane]]:
    """List the lanes of every group of two ranks and more; a group is left out where not all can be numbered."""
    for group in sorted({row.group for one in seen for row in one.collectives}):
        members = [one for one in seen if group == WORLD or any(row.group == group for row in one.collectives)]
        found = [lane for one in members if (lane := _lane(one, group)) is not None]
        if len(found) == len(members) > 1 and max(one.first for one in found) <= min(one.last for one in found) + 1:
            same = _same_leaves(found)
            found = [replace(one, rows=tuple(_unnamed(row, same) for row in one.rows)) for one in found]
            yield (
                found if _led_alike(found) else [replace(one, rows=tuple(map(_without_way, one.rows))) for one in found]
            )


def _same_leaves(group: Sequence[Lane]) -> set[int]:
    """Return the steps in which all ranks reduce gradients of the same names, in whatever order."""
    named = [Counter((row.step, row.leaf) for row in one.rows if row.leaf) for one in group]
    other = {step for one in named for step, _ in one.keys() - named[0].keys() | named[0].keys() - one.keys()}
    unlike = {step for one in named for (step, leaf), times in one.items() if named[0][step, leaf] != times}
    return {step for step, _ in named[0]} - other - unlike


def _unnamed(one: Collective, same: Collection[int]) -> Collective:
    """Leave out the name of what is reduced, where other ranks have other names."""
    return one if not one.leaf or one.step in same else msgspec.structs.replace(one, leaf="")


def _led_alike(group: Sequence[Lane]) -> bool:
    """Tell whether all ranks came to what they share by the same lines: else each has a way of its own to all."""
    number = max(one.first for one in group)
    return len({one.at(number).way for one in group if number <= one.last}) < 2


def _without_way(one: Collective) -> Collective:
    return msgspec.structs.replace(one, way="")


def _lane(seen: Observation, group: str) -> Lane | None:
    """Number what is of all; None where the oldest are gone, and nobody knows how many of them were of all."""
    built = in_a_row(one for one in seen.collectives if one.group == group)
    rows = tuple(one for one in built if one.peer < 0 and not one.traced)
    first = rows[0].nth if rows else 0
    if not first:  # nobody has counted
        first = built[0].n if built and len(rows) == len(built) else 1
        if first == 1 and built and built[0].n > 1:
            return None
    skipped = _cut(rows) if first > 1 else 0
    counted = not any(one.traced for one in seen.collectives if one.group == group)
    return Lane(seen, rows[skipped:], first + skipped, counted=counted)


def _cut(rows: Sequence[Collective]) -> int:
    """Count those at the beginning whose evaluation may have held others before them, in whatever order."""
    cut = sum((one.begun_s, one.done_s) == (rows[0].begun_s, rows[0].done_s) for one in rows)
    return cut if cut < len(rows) else 0


def in_a_row(built: Iterable[Collective]) -> list[Collective]:
    """Sort the collectives of one group, and leave out what lies before any that was never told."""
    rows = sorted(built, key=lambda one: one.n)
    gaps = [k for k, (before, after) in enumerate(itertools.pairwise(rows), 1) if after.n != before.n + 1]
    return rows[gaps[-1] :] if gaps else rows


def part(a: Lane, b: Lane) -> int:
    """Return the number at which two lanes cannot be the same sequence, whatever order each evaluation ran; or 0."""
    first, last = max(a.first, b.first), min(a.last, b.last)
    ours, theirs = ([one.at(number) for number in range(first, last + 1)] for one in (a, b))
    while ours and theirs:
        wanted = next((key(one) for one in _together(ours) if key(one) in map(key, _together(theirs))), None)
        if wanted is None:
            return a.rows.index(ours[0]) + a.first
        for left in (ours, theirs):
            left.remove(next(one for one in left if key(one) == wanted))
    return 0


def _together(rows: list[Collective]) -> Iterator[Collective]:
    """List the first, and those that may run before it: built before the same evaluation."""
    return itertools.takewhile(lambda one: (one.begun_s, one.done_s) == (rows[0].begun_s, rows[0].done_s), rows)


def parting(group: Sequence[Lane]) -> int:
    """Return the first number at which any lane parts from the longest; 0 where none does."""
    longest = max(group, key=lambda one: (len(one.rows), course(one)))
    return min(filter(None, (part(longest, one) for one in group if one is not longest)), default=0)


def odd_ones(group: Sequence[Lane], number: int) -> list[Lane]:
    """Return the lanes that left the common way at a number: the fewer, or those that never went so before."""
    groups: dict[Key, list[Lane]] = {}
    for one in group:
        groups.setdefault(key(one.at(number)), []).append(one)
    sizes = sorted(map(len, groups.values()))
    if len(sizes) < 2:
        return []
    if sizes[-1] > sizes[-2]:
        return [one for some in groups.values() if len(some) < sizes[-1] for one in some]
    known = {pair for one in group for pair in itertools.pairwise(one.sites(number))}
    new = [some for some in groups.values() if _steps_to(some[0], number) not in known]
    return new[0] if len(new) == 1 and len(groups) == 2 else []


def _steps_to(lane: Lane, number: int) -> tuple[Site, Site]:
    before = site(lane.at(number - 1)) if number > lane.first else ("", 0, "")
    return before, site(lane.at(number))


def strayed(longer: Lane, shorter: Lane) -> int:
    """Return the number at which the longer lane first went a way that the shorter one has never gone; 0 if nowhere.

    Up to there both went alike, at least once.
    """
    first = max(longer.first, shorter.first)
    pairs = range(first, shorter.last + 1)
    number = next((n for n in pairs if site(longer.at(n)) != site(shorter.at(n))), 0)
    return number if number > first and site(longer.at(number)) not in shorter.sites(shorter.last + 1) else 0


def shifted(longer: Lane, shorter: Lane) -> int:
    """Return the number from which the longer lane is the shorter one, pushed back; behind the shorter one where not.

    Ranks may build the same collective at several lines, so lines tell where one is missing, and never that one is.
    """
    extra, first = longer.last - shorter.last, max(longer.first, shorter.first)
    pairs = range(first, shorter.last + 1)
    start = next((n for n in pairs if site(longer.at(n)) != site(shorter.at(n))), shorter.last + 1)
    moved = all(site(longer.at(n + extra)) == site(shorter.at(n)) for n in range(start, shorter.last + 1))
    return start if moved else shorter.last + 1


def way_left(odd: Lane, other: Lane, number: int) -> str:
    """Say whether a lane has built one more than the other, or left one out; else empty."""
    there, here = site(odd.at(number)), site(other.at(number))
    if there == here:
        return ""
    alone, skipped = (
        any(_goes_on(one, another, number, extra) for extra in range(1, AHEAD))
        for one, another in ((odd, other), (other, odd))
    )
    if alone != skipped:
        return "alone" if alone else "skipped"
    if number < min(odd.last, other.last):  # both went on, and they are no longer the same sequence
        return ""
    if there not in other.sites(other.last + 1):
        return "alone"
    return "skipped" if here in odd.sites(number) else ""


def only(one: Lane, other: Lane, number: int) -> Lane | None:
    """Return a lane that has built at a line where the other never has, and the other at a line of both; else None."""
    there, here = site(one.at(number)), site(other.at(number))
    alone = there not in other.sites(other.last + 1) and here in one.sites(one.last + 1)
    return one if alone else None


def _goes_on(longer: Lane, shorter: Lane, number: int, extra: int) -> bool:
    """Tell whether all that a lane has after some extra ones is what the other has at once."""
    both = range(number, min(shorter.last, longer.last - extra) + 1)
    return len(both) > 0 and all(site(longer.at(n + extra)) == site(shorter.at(n)) for n in both)
