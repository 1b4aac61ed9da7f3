"""Findings about the order in which ranks build and evaluate their collectives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from mlxprobe.diagnosis.ranks.collective_alignment import (
    Lane,
    course,
    key,
    lanes,
    odd_ones,
    only,
    parting,
    rank_of,
    shifted,
    site,
    strayed,
    way_left,
)
from mlxprobe.diagnosis.ranks.point_to_point import with_messages
from mlxprobe.diagnosis.ranks.rank_status import (
    at,
    busy,
    called,
    cut_short,
    fates,
    fewer_rounds,
    joined,
    line,
    lost,
    named,
    over,
    pending,
    skipping,
    stopped,
    thread_ended,
    waits,
    what,
    worker_ended,
)
from mlxprobe.diagnosis.ranks.unevaluated import lying, unevaluated
from mlxprobe.rules.registry import ranks_finding
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Collective, Observation
from mlxprobe.schema.record import Finding

REDUCING = {"all_sum", "sum_scatter", "all_gather"}
ENOUGH_STEPS = 4
MOSTLY = 0.9  # of the steps that all have made
TOGETHER = (  # where neither rank has built at the other's line: an order is not what is wrong
    "call both collectives on every rank; one below a condition such as `if group.rank() == 0` goes above it, and only "
    "the `print` stays there."
)


@ranks_finding("MP701", "rank-behind")
def rank_behind(seen: Sequence[Observation]) -> Iterator[Finding]:
    """A rank does not join a collective, or does not receive a message, that others wait in.

    A collective takes every rank of its group. One that goes on without it, by `continue`, in a branch of one rank
    alone, or because it stands elsewhere, leaves the others waiting: NCCL for ever, the ring until a later collective
    takes the place of the missing one, or the connection is lost.

    Example: `if group.rank() == 0: print(mx.distributed.all_sum(loss).item())`

    Use instead: `total = mx.distributed.all_sum(loss)` and `mx.eval(total)` on every rank, and a branch around the
    `print` alone; to leave out a batch, let all ranks agree on it by a collective first. What one rank receives another
    must send, and of two that exchange, one sends first. A wait for a file or a queue needs a limit.
    """
    yield from _told(seen, "MP701")


@ranks_finding("MP702", "collective-mismatch")
def collective_mismatch(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Ranks run another operation, shape or type at the same place of their sequence.

    Collectives have no names: the nth of one rank meets the nth of the others. Where those are not the same, ranks
    hang, or what comes out is put together of things that do not belong together, without an error.

    Example: `for name in set(grads): mx.eval(mx.distributed.all_sum(grads[name]))`, which has another order in every
    process.

    Use instead: `for name in sorted(grads)`, the same operations in the same order on every rank; pad what has another
    length on each.
    """
    yield from _told(seen, "MP702")


@ranks_finding("MP703", "collective-not-evaluated", Severity.WARNING)
def collective_not_evaluated(seen: Sequence[Observation]) -> Iterator[Finding]:
    """All ranks build a collective, and only some evaluate it.

    MLX runs a collective when its result is evaluated, not when it is called. A rank that never reads the result never
    takes part, and those that do wait for it.

    Example: `mean = mx.distributed.all_sum(loss) / group.size()` on every rank, and `mean.item()` on rank 0 alone.

    Use instead: `mx.eval(mean)` on every rank, and a branch around the `print` alone.
    """
    yield from _told(seen, "MP703")


@ranks_finding("MP708", "uneven-batches")
def uneven_batches(seen: Sequence[Observation]) -> Iterator[Finding]:
    """Ranks have different numbers of steps, and those that have more wait for the others.

    Each step has a collective, which takes every rank. A rank whose data are shorter, or that leaves out a batch, is at
    its end while the others wait in the step that it has not: NCCL waits for ever, the ring loses the connection. One
    that trains on alone, with nothing to reduce in its steps, is a note.

    Example: `for batch in batches[rank::size]`, where the number of batches is no multiple of the number of ranks.

    Use instead: `steps = mx.distributed.all_min(mx.array(len(batches))).item()`, and as many steps on every rank.
    """
    yield from _told(seen, "MP708")
    yield from trained_on(seen)


def _told(seen: Sequence[Observation], code: str) -> Iterator[Finding]:
    found = [one for group in lanes(seen) if (one := _difference(group)) is not None]
    yield from (one for one in with_messages(found, seen) if one.code == code)


def _difference(group: list[Lane]) -> Finding | None:
    """Say how the lanes of a group part; where they do not, why some of its ranks cannot go on."""
    stuck = any(stopped(one.seen) for one in group) and not any(lost(one.seen) for one in group)
    if number := parting(group):
        return _parted([one for one in group if one.first <= number <= one.last], number, stuck=stuck)
    if not stuck or not all(one.counted for one in group):
        return None
    ahead = max(group, key=lambda one: (one.last, stopped(one.seen), course(one)))
    left = [one for one in group if not cut_short(one.seen)]
    late = min(left, key=lambda one: (one.last, course(one)))
    if late.last < ahead.last:
        return _behind(left, late, ahead)
    return unevaluated(left)


def _parted(group: list[Lane], number: int, *, stuck: bool) -> Finding:
    odd = odd_ones(group, number)
    left = min(odd or group, key=lambda one: (one.onwards(number), course(one)))
    there = left.at(number)
    others = [one for one in group if one not in odd and (odd or key(one.at(number)) != key(there))]
    here = min(others, key=lambda one: (site(one.at(number)) != site(there), one.onwards(number), course(one)))
    if not odd and (alone := only(left, here, number) or only(here, left, number)):
        odd, left, here = [alone], alone, here if alone is left else left
        there = left.at(number)
    died = [one for one in group if lost(one.seen) and not one.seen.raised and pending(one.at(number))]
    sure = stuck or died or all(one.at(number).sure and one.at(number).done_s is not None for one in group)
    severity = Severity.ERROR if sure else Severity.WARNING
    way = way_left(left, here, number) if odd else ""
    involved = [one.seen for one in (odd or group)]
    ours, theirs = named(one.rank for one in odd or [left]), f"rank {here.rank}"
    ends = [f"{named([one.rank])} {lost(one.seen)} in it" for one in died]
    after = joined(*ends, fates(one.seen for one in group if stopped(one.seen)))
    left_early = odd and all(over(one.seen) for one in odd) and not over(here.seen)
    if left_early and (fewer := _fewer(odd, here, here.at(number))):
        message = f"{fewer}, and went on to {called(there, number)}: {theirs} built {what(here.at(number))}"
        return at("MP708", joined(message, fewer_rounds(odd[0].seen), after), here.at(number), involved, severity)
    if way == "alone":
        message = f"{ours} alone built {called(there, number)}: {theirs} built {what(here.at(number))} in its place"
        return at("MP701", joined(message, after), there, involved, severity)
    if way == "skipped":
        message = (
            f"{ours} never built {called(here.at(number), number)}: it went on to {what(there)}{skipping(left.seen)}"
        )
        return at("MP701", joined(message, after), here.at(number), involved, severity)
    message = f"{called(there, number)} of {ours} meets {what(here.at(number))} of {theirs}"
    found = at("MP702", joined(message, after), there, involved, severity)
    apart = site(there) not in here.sites(here.last + 1) and site(here.at(number)) not in left.sites(left.last + 1)
    return msgspec.structs.replace(found, instead=TOGETHER) if apart else found


def _behind(group: list[Lane], late: Lane, ahead: Lane) -> Finding:
    """Say why a rank has not built what others wait in."""
    number = strayed(ahead, late) or shifted(ahead, late)
    missing = ahead.at(number)
    behind = [one for one in group if one.last == late.last]
    ranks, place = [one.seen for one in behind], called(missing, number)
    who, after = named(one.rank for one in behind), fates(one.seen for one in group)
    if site(missing) not in late.sites(late.last + 1):
        message = f"rank {ahead.rank} alone built {place}{_led(missing, late)}, which {who} never built"
        return at("MP701", joined(message, after), missing, [ahead.seen], Severity.ERROR)
    if over(late.seen):
        if number > late.last and (fewer := _fewer(behind, ahead, missing)):
            message = joined(f"{fewer}, and never built {place}", fewer_rounds(late.seen), after)
            return at("MP708", message, missing, ranks, Severity.ERROR)
    elif waits(late.seen) and not busy(late.seen, ahead.seen) and number > late.last:
        return lying(late, ahead, after)
    message = f"{who} never built {place}{skipping(late.seen)}{thread_ended(late.seen)}{worker_ended(late.seen)}"
    severity = Severity.WARNING if busy(late.seen) else Severity.ERROR
    return at("MP701", joined(message, after), missing, ranks, severity)


def _led(one: Collective, late: Lane) -> str:
    """Name the line that led to a collective, where the other rank has built one there too, led by others."""
    known = {part for row in late.rows for part in row.way.split(" < ")}
    new = next((part for part in one.way.split(" < ") if part not in known), "")
    return f", called at {new}" if new and new != line(one) else ""


def _fewer(late: Sequence[Lane], ahead: Lane, missing: Collective) -> str:
    """Say that ranks have fewer steps than another, in which one is under way; empty where they have not."""
    ours, theirs = max(_gradients(one.seen) for one in late), max(_gradients(ahead.seen), missing.step)
    who = f"{named(one.rank for one in late)} {'has' if len(late) == 1 else 'have'}"
    return f"{who} fewer batches than the others ({ours} against {theirs} of rank {ahead.rank})" * (ours < theirs)


def _gradients(seen: Observation) -> int:
    return max(seen.sheet.gradients, sum(one.gradients for one in seen.steps))


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
    yield _told_alone(ahead, others, last, later)


def _told_alone(ahead: Observation, others: Sequence[Observation], last: Collective, later: int) -> Finding:
    ends = f"{named(map(rank_of, others))} came to {'its end' if len(others) == 1 else 'their ends'}"
    message = f"rank {rank_of(ahead)} trains on alone for {later:,} steps, in which nothing is reduced: {ends} at step "
    message += f"{others[0].steps[-1].n:,}"
    return at("MP708", joined(message, fewer_rounds(others[0])), last, [ahead], Severity.NOTE)
