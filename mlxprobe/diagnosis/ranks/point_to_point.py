"""Messages from one rank to another: the nth that is sent meets the nth that is received. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from mlxprobe.diagnosis.ranks.collective_alignment import WORLD, in_a_row, rank_of, site
from mlxprobe.diagnosis.ranks.rank_progress import awaited
from mlxprobe.diagnosis.ranks.rank_status import at, called, fates, joined, lost, over, stopped
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Collective, Observation
from mlxprobe.schema.record import Finding


def with_messages(found: Sequence[Finding], seen: Sequence[Observation]) -> list[Finding]:
    """Return what is found of collectives, but for what follows from messages, and what is found of those."""
    ends = list(unmet(seen))
    proved = {one.code for one in ends if one.severity is Severity.ERROR}
    kept = [one for one in found if one.code != "MP703" or not proved or one.severity is Severity.ERROR]
    return [*(one for one in kept if one.code != "MP701" or "MP701" not in proved or not _follows(one, seen)), *ends]


def _follows(found: Finding, seen: Sequence[Observation]) -> bool:
    """Tell whether all who have not come to a collective wait for a message."""
    others = [one for one in seen if rank_of(one) not in found.ranks]
    rows = [row for one in others if (row := awaited(one)[0]) is not None]
    return len(rows) == len(others) and all(row.peer >= 0 for row in rows)


def unmet(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Yield, for two ranks that send to each other, the first message whose ends do not fit or are not both there.

    Which rank of all has which number in a part of the group is not known, so only messages within the whole are held
    against each other.
    """
    stuck = any(map(stopped, seen)) and not any(map(lost, seen))
    alone: list[tuple[Observation, Observation, Finding]] = []  # who has the end that is there, and who has none
    for source, target in itertools.permutations(seen, 2):
        sent, received = _ends(source, target, sends=True), _ends(target, source, sends=False)
        if sent is None or received is None:
            continue
        both = sorted(sent.keys() & received.keys())
        unlike = next((number for number in both if _kind(sent[number]) != _kind(received[number])), 0)
        if unlike:
            yield _unlike(source, target, sent[unlike], received[unlike], stuck=stuck)
        elif max(sent, default=0) != max(received, default=0) and (stuck or (over(source) and over(target))):
            here, there = (source, target) if max(sent, default=0) > max(received, default=0) else (target, source)
            more, fewer = (sent, received) if here is source else (received, sent)
            if (number := max(fewer, default=0) + 1) in more:
                alone.append((here, there, _alone(here, there, more[number], number, stuck=stuck)))
    stopping = [one for one in alone if stopped(one[0])] or alone  # what else is left over follows from that
    first = [one for one in stopping if _turned_off(one[1], seen)] or stopping  # and the others wait because of it
    yield from (found for _, _, found in first)


def _turned_off(seen: Observation, ranks: Sequence[Observation]) -> bool:
    """Tell whether a rank came to its last message from where nobody had come to such a one before."""
    last = _steps(seen)[-1:]
    known = [step for one in ranks for step in (_steps(one)[:-1] if one is seen else _steps(one))]
    return bool(last) and bool(known) and last[0] not in known


def _steps(seen: Observation) -> list[tuple[object, object]]:
    """List the lines of a rank's messages and collectives, each with the one before it."""
    rows = sorted(seen.collectives, key=lambda one: (one.built_s, one.n))
    return list(itertools.pairwise(map(site, rows)))


def wanting(seen: Observation, row: Collective, ranks: Sequence[Observation]) -> bool:
    """Tell whether the rank at the other end of a message has not built it; False where nobody knows."""
    other = next((one for one in ranks if rank_of(one) == row.peer), None)
    sends = row.operation == "send"
    ours, theirs = (
        _ends(seen, other, sends=sends) if other else None,
        _ends(other, seen, sends=not sends) if other else None,
    )
    if ours is None or theirs is None:
        return False
    return next((number > max(theirs, default=0) for number, one in ours.items() if one == row), False)


def _ends(seen: Observation, other: Observation, *, sends: bool) -> dict[int, Collective] | None:
    """Return one rank's ends of its messages to or from another, by number; None where nobody has counted them all."""
    rows = in_a_row(one for one in seen.collectives if one.group == WORLD)
    mine = [one for one in rows if one.peer == rank_of(other) and (one.operation == "send") == sends]
    whole = not rows or rows[0].n == 1
    if any(one.traced and one.group == WORLD for one in seen.collectives) or (not whole and not (mine and mine[0].nth)):
        return None
    return {one.nth or number: one for number, one in enumerate(mine, 1)}


def _kind(one: Collective) -> tuple[tuple[int, ...], str]:
    return one.shape, one.dtype


def _unlike(source: Observation, target: Observation, a: Collective, b: Collective, *, stuck: bool) -> Finding:
    message = f"{called(a)} of rank {rank_of(source)} is received as {called(b)} of rank {rank_of(target)}"
    return at("MP702", message, b, [source, target], Severity.ERROR if stuck else Severity.WARNING)


def _alone(here: Observation, there: Observation, one: Collective, number: int, *, stuck: bool) -> Finding:
    sends = one.operation == "send"
    verb, wanting = ("sends", "received") if sends else ("receives", "sent")
    message = (
        f"rank {rank_of(here)} {verb} message {number} {'to' if sends else 'from'} rank {rank_of(there)} in "
        f"{called(one)}, which rank {rank_of(there)} has never {wanting}: it built {number - 1}"
    )
    after = fates((here, there)) if stuck else ""
    return at("MP701", joined(message, after), one, [there], Severity.ERROR if stuck else Severity.WARNING)
