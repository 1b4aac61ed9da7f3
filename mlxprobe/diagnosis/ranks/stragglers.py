"""Findings about a rank that the others wait for at every step.

What a rank computes is seen by its own threads' time on processors: those that carry messages spin while they wait.
What keeps it otherwise is seen by when it comes to a collective. Time that it waited for a processor is the machine's.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from mlxprobe.diagnosis.ranks.collective_alignment import Lane, lanes, parting, rank_of, site
from mlxprobe.diagnosis.ranks.rank_status import line
from mlxprobe.protocol.facts.ranks import OwnWork
from mlxprobe.rules.registry import ranks_finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import duration, stepped_s
from mlxprobe.schema.observation import Observation, Place, Sighting
from mlxprobe.schema.record import Finding

STRAGGLES = 2.0  # times the others' own time
WORKS = 0.6  # of its wall time: on a processor, or in want of one
IDLES = 0.3  # of the others'
SCARCE, MOSTLY = 0.1, 0.5  # of a step, for which ranks wait for processors; of one that others then lose
SPINS = 4.0  # times what it takes the last: for so long before, who computes the same can only have waited
LAST = 0.8  # of the collectives: less is chance
ALWAYS, MANY_MEETINGS = 0.9, 16  # and what no machine does, however busy
ENOUGH_S = 1.0
ENOUGH_STEPS = 4
ENOUGH_SAMPLES = 4
ENOUGH_MEETINGS = 8


class Pace(NamedTuple):
    """What a step of a rank takes: on processors for work of its own, in want of one for that, and in all."""

    seen: Observation
    own_s: float
    wanted_s: float
    wall_s: float

    @property
    def waited_s(self) -> float:
        """For how long of it the rank got no processor."""
        return self.wanted_s - self.own_s

    @property
    def idles(self) -> bool:
        """Whether it neither computes nor wants to for a part of it."""
        return self.wanted_s < (1 - IDLES) * self.wall_s


@ranks_finding("MP707", "straggler", Severity.WARNING)
def straggler(seen: Sequence[Observation]) -> Iterator[Finding]:
    """One rank takes a multiple of the others' time for each step, and they wait for it.

    A collective ends when the last rank has come: all train at the pace of the slowest, and the rest of their time is
    lost.

    Example: rank 0 alone tokenises, or evaluates, or has the longest sequences, or four micro-batches to one.

    Use instead: share the work evenly: sort by length before the batches are dealt out, and prepare data beforehand.
    """
    paces = [pace for one in seen if (pace := _pace(one)) is not None]
    groups = list(lanes(seen))
    calls = [_calls(pace.seen) for pace in paces]
    if len(paces) < len(seen) or len(paces) < 2 or any(map(parting, groups)):
        return  # of ranks that pair what does not belong together, none waits for its own
    if max(calls) > 0 == min(calls):
        return  # one that computes no gradients serves those that do
    for one in paces:
        others = [other for other in paces if other is not one]
        alone = _alone(one, groups)
        idle = all(other.idles for other in others)
        if message := (_computes(one, others, alone) if idle else "") or _comes_late(one, others, groups):
            usual_s = statistics.median(other.own_s for other in others)
            last, work = one.seen.collectives[-1], _work(one.seen)
            message += f": they wait for it at {line(last)}{_more(one, others)}{_led(work)}"
            place = work or last
            made = rule("MP707").at(
                message, place.file, place.line, own_s=one.own_s, others_s=usual_s, step_s=one.wall_s
            )
            yield msgspec.structs.replace(made, ranks=(rank_of(one.seen),), source=place.source, caller=place.caller)


def _computes(one: Pace, others: Sequence[Pace], alone: Pace) -> str:
    """Say how much longer a rank computes than the others, where it does so all the time.

    While the others have not come it may only wait for them: MPI spins on the threads that compute.
    """
    usual_s = statistics.median(other.own_s for other in others)
    if one.own_s - alone.own_s < STRAGGLES * usual_s or one.wanted_s - alone.wanted_s < WORKS * one.wall_s:
        return ""
    return (
        f"rank {rank_of(one.seen)} computes {duration(one.own_s)} for a step of {duration(one.wall_s)} on average, the "
        f"others {duration(usual_s)}"
    )


def _comes_late(one: Pace, others: Sequence[Pace], groups: Sequence[Sequence[Lane]]) -> str:
    """Say how much later than the others a rank comes to its collectives, where it is nearly always the last.

    Others that are not idle meanwhile may compute; but not five times as long as it does what is the same work. What
    counts is how late it comes usually: on a busy machine any of them is late by seconds, once. Time that it waited for
    a processor is not its own; where it is always the last, time that it waited longer than the others did. Where
    processors are scarce, less than half of a step may be their doing, if it has no more to compute.
    """
    scarce = not _more(one, others) and any(each.waited_s > SCARCE * each.wall_s for each in (one, *others))
    idle, busier_s = all(other.idles for other in others), one.waited_s - min(other.waited_s for other in others)
    for group, late_s in _latenesses_s(one, groups):
        late = list(late_s.values())
        last = [each for each in late if each > 0]
        usual_s = statistics.median(late) if late else 0.0
        if len(last) < max(ENOUGH_MEETINGS, LAST * len(late)):
            continue
        if not (idle or (_same_work(group) and SPINS * _took_s(one, group) < usual_s)):
            continue
        step_s = statistics.median(step.step_s for step in one.seen.steps)
        always = len(last) >= max(MANY_MEETINGS, ALWAYS * len(late))
        waited_s = max(0.0, busier_s) if always else one.waited_s
        if usual_s * len(late) / len(one.seen.steps) - waited_s > (MOSTLY if scarce else IDLES) * step_s:
            return f"rank {rank_of(one.seen)} comes last to {len(last)} of {len(late)}, {duration(usual_s)} late"
    return ""


def _alone(one: Pace, groups: Sequence[Sequence[Lane]]) -> Pace:
    """Return what a step takes a rank while it is in a collective to which another has not come.

    What its pace leaves out is left out here too: a rank that was started seconds earlier waits in the first.
    """
    seen, steps = one.seen, max(1, _steps(one.seen))
    from_s, to_s = _span_s(seen)
    times, owns, wants = zip(*((each.t_s, each.own_s, each.wanted_s) for each in seen.samples), strict=True)
    spent = [Pace(seen, 0.0, 0.0, 0.0)]
    for _, late in _latenesses_s(one, groups):
        waits = [(at_s, at_s - late_s) for at_s, late_s in late.items() if late_s < 0 and from_s <= at_s <= to_s]
        wall_s = sum(to - at for at, to in waits)
        own_s, wanted_s = (np.diff(np.interp(waits or [(0, 0)], times, taken)).sum() for taken in (owns, wants))
        spent.append(Pace(seen, min(own_s, wall_s) / steps, min(wanted_s, wall_s) / steps, wall_s / steps))
    return max(spent, key=lambda each: each.wall_s)


def _same_work(group: Sequence[Lane]) -> bool:
    """Tell whether ranks compute as many gradients of batches of the same shapes, and reduce them at the same lines."""
    works = {(frozenset(map(site, one.rows)), frozenset(one.seen.sheet.batches), _calls(one.seen)) for one in group}
    return len(works) == 1 and all(one.seen.sheet.batches for one in group)


def _took_s(one: Pace, group: Sequence[Lane]) -> float:
    """Return what an evaluation with a collective usually takes a rank: its own work in it, and what it waits there."""
    rows = next(each for each in group if each.seen is one.seen).rows
    took = {row.begun_s: row.done_s - row.begun_s for row in rows if row.begun_s is not None and row.done_s is not None}
    return statistics.median(took.values()) if took else math.inf


def _latenesses_s(one: Pace, groups: Sequence[Sequence[Lane]]) -> Iterator[tuple[Sequence[Lane], dict[float, float]]]:
    """List, for each group that a rank is in, when it came to each collective, and how much later than the others."""
    for group in groups:
        others = [each for each in group if each.seen is not one.seen]
        if len(others) < len(group):
            yield group, _lateness_s(next(each for each in group if each not in others), others)


def _lateness_s(lane: Lane, others: Sequence[Lane]) -> dict[float, float]:
    """Return how much later than all others a rank asked for what they met in; below 0 where it was not the last."""
    numbers = range(max(one.first for one in (lane, *others)), min(one.last for one in (lane, *others)) + 1)
    found: dict[float, float] = {}
    for n in numbers:
        its, theirs = lane.at(n).begun_s, [one.at(n).begun_s for one in others]
        known = [each for each in theirs if each is not None]
        if its is not None and len(known) == len(theirs):
            found.setdefault(its, its - max(known))  # the first of an evaluation
    return found


def _work(seen: Observation) -> Sighting[OwnWork] | None:
    """Return where a rank is most of the time in which it evaluates nothing, where that is much."""
    for fact, at in seen.every(OwnWork):
        return at if fact.at_work > max(ENOUGH_SAMPLES, IDLES * fact.looks) else None
    return None


def _led(work: Sighting[OwnWork] | None) -> str:
    if work is None:
        return ""
    way = work.fact.way[1:]
    led = f", called at {' < '.join(way)}" if way else ""
    return f"; its own work is mostly at {line(Place(file=work.file, line=work.line))}{led}"


def _more(one: Pace, others: Sequence[Pace]) -> str:
    """Say of how many gradient calls each step of it is made, where that is not so with the others."""
    its, theirs = _calls(one.seen), statistics.median(map(_calls, [other.seen for other in others]))
    return f"; a step of it has {its:g} gradient calls, theirs {theirs:g}" if its > theirs else ""


def _calls(seen: Observation) -> float:
    return statistics.median(step.gradients for step in seen.steps)


def _meets(seen: Observation) -> bool:
    """Tell whether a rank meets the others in its steps, and not just now and then."""
    met = {row.step for row in seen.collectives if row.step < seen.steps[-1].n}
    known = sum(step.n >= min(met) for step in seen.steps[:-1]) if met else 0
    compiled = any(row.traced for row in seen.collectives)  # then it is in every step
    return compiled or (bool(met) and len(met) >= min(ENOUGH_MEETINGS, known / 2))


def _pace(seen: Observation) -> Pace | None:
    """Return the pace of a rank; None where it cannot be told."""
    if len(seen.steps) < ENOUGH_STEPS or not _meets(seen) or stepped_s(seen) < ENOUGH_S:
        return None
    from_s, to_s = _span_s(seen)
    count = _steps(seen)
    inside = [one for one in seen.samples if from_s <= one.t_s <= to_s and one.wanted_s]
    if len(inside) < ENOUGH_SAMPLES:
        return None
    first, last = inside[0], inside[-1]
    wall_s = last.t_s - first.t_s
    steps = wall_s * count / (to_s - from_s)
    if wall_s < ENOUGH_S / 2 or steps < 1:
        return None
    return Pace(seen, (last.own_s - first.own_s) / steps, (last.wanted_s - first.wanted_s) / steps, wall_s / steps)


def _span_s(seen: Observation) -> tuple[float, float]:
    """Return from when to when steps are told of: the last holds what comes after the loop, the first ones compile.

    In the first collective a rank waits for those that were started later.
    """
    first = seen.collectives[0]
    met_s = first.done_s if first.n == 1 and first.done_s else 0.0
    return max(seen.steps[1].t_s, met_s), seen.steps[-2].t_s


def _steps(seen: Observation) -> int:
    from_s, to_s = _span_s(seen)
    return sum(from_s < step.t_s <= to_s for step in seen.steps)
