"""Messages from one rank to another: the nth that is sent meets the nth that is received. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from mlxprobe.diagnosis.fates import at, called, fates, lost, over, stopped
from mlxprobe.diagnosis.lanes import WORLD, rank_of, site
from mlxprobe.values.observation import Collective, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity


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
        unlike = next(((a, b) for a, b in zip(sent, received, strict=False) if _kind(a) != _kind(b)), None)
        if unlike is not None:
            yield _unlike(source, target, *unlike, stuck=stuck)
        elif len(sent) != len(received) and (stuck or (over(source) and over(target))):
            here, there = (source, target) if len(sent) > len(received) else (target, source)
            alone.append((here, there, _alone(source, target, sent, received, stuck=stuck)))
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
    return ours is not None and theirs is not None and row in ours and ours.index(row) >= len(theirs)


def _ends(seen: Observation, other: Observation, *, sends: bool) -> list[Collective] | None:
    """List one rank's ends of its messages to or from another; None where not all are known."""
    rows = sorted((one for one in seen.collectives if one.group == WORLD), key=lambda one: one.n)
    numbers = [one.n for one in rows]
    if numbers != list(range(1, len(rows) + 1)) or any(one.traced for one in rows):
        return None
    return [one for one in rows if one.peer == rank_of(other) and (one.operation == "send") == sends]


def _kind(one: Collective) -> tuple[tuple[int, ...], str]:
    return one.shape, one.dtype


def _unlike(source: Observation, target: Observation, a: Collective, b: Collective, *, stuck: bool) -> Finding:
    message = f"{called(a)} of rank {rank_of(source)} is received as {called(b)} of rank {rank_of(target)}"
    return at("MP702", message, b, [source, target], Severity.ERROR if stuck else Severity.WARNING)


def _alone(
    source: Observation, target: Observation, sent: list[Collective], received: list[Collective], *, stuck: bool
) -> Finding:
    number = min(len(sent), len(received))
    more, here, there = (sent, source, target) if len(sent) > len(received) else (received, target, source)
    one = more[number]
    verb, wanting = ("sends", "received") if more is sent else ("receives", "sent")
    message = (
        f"rank {rank_of(here)} {verb} message {number + 1} {'to' if more is sent else 'from'} rank {rank_of(there)} in "
        f"{called(one)}, which rank {rank_of(there)} has never {wanting}: it built {number}"
    )
    after = fates((here, there)) if stuck else ""
    told = f"{message}; {after}" if after else message
    return at("MP701", told, one, [there], Severity.ERROR if stuck else Severity.WARNING)
