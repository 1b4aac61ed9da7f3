"""Findings about the learning rate and what the optimizer is given."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.losses import Supervision
from mlxprobe.protocol.facts.updates import (
    BetasReversed,
    ClippedAway,
    ClippedEverywhere,
    ClippedResultUnused,
    ClippedWhileScaled,
    RateAstray,
    Resumed,
    ScheduleUnused,
)
from mlxprobe.rules.registry import finding, findings_from_facts, listed, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding
from mlxprobe.schema.run_summary import Optimizer

ENOUGH_UPDATES = 10
LONG_RUN = 500  # updates: whoever makes fewer may be trying the program out
FLOOR = 1e-3  # of the highest rate: what is done below changes nothing
MOST = 0.5
NOTHING, SHARE = 1e-5, 0.1  # of the highest rate, at the end; and of the updates, below the floor until then
SLIGHT = 1e-3  # what all updates of an Adam move a weight by
SAME_SPAN = 0.02
ENOUGH_RATES, STRAIGHT = 5, 0.01
MANY_UPDATES, NOWHERE = 100, 0.1  # of the weights' size


TURNED: dict[type[Fact], str] = {
    BetasReversed: "{optimizer} is given betas of {first:g} and {second:g}: the mean of the gradients looks back "
    "further than that of their squares, by which it is divided. Are the two exchanged?"
}


LONGER = "a schedule whose steps are all updates of the run"
AS_MEANT = "a rate that falls by the number of updates, as `optim.cosine_decay(rate, updates)` does."


@finding("MP210", "learning-rate", Severity.WARNING)
def learning_rate(seen: Observation) -> Iterator[Finding]:
    """The learning rate is NaN or zero, lies at its floor, never leaves its warm-up, or is not the schedule's.

    A rate that is not finite makes every parameter so. At zero, or below a thousandth of its peak for most updates,
    training goes on and changes nothing. A schedule counts updates: one that is as long as the run in iterations never
    comes to its end where several iterations make one update. Short runs that end in their warm-up get a note, and so
    does a rate that is set by hand and rises evenly up to the end: that may be a search for a rate. What is set under
    another name, as other frameworks call it, is read by nobody. So small a rate that all updates of Adam together move
    no weight by a thousandth is told where the loss does not fall. Betas in the wrong order are told here too.

    Example: `schedule = optim.cosine_decay(1e-3, steps)` beside `optim.AdamW(learning_rate=1e-3)`; a warm-up as long as
    the run (0/0); `decay_steps` far below the number of updates; `optimizer.lr = rate`.

    Use instead: `optim.AdamW(learning_rate=schedule)`, its steps counted in updates.
    """
    for one in seen.sheet.optimizers:
        told = _not_finite(one) or _zero(one) or _floor(one) or _other_unit(seen, one) or _warmup(seen, one)
        told = told or _too_small(seen, one)
        if told is not None:
            yield told
    yield from findings_from_facts(seen, "MP210", TURNED)
    for fact, at in seen.facts(RateAstray):
        message = f"{fact.attribute} is set from {fact.first} to {fact.last} on {fact.optimizer}, which reads "
        message += f"learning_rate alone: that stays at {fact.rate}{seen_at(fact)}"
        yield rule("MP210").at(message, at.file, at.line)
    for fact, at in seen.facts(ScheduleUnused):
        message = f"the schedule {fact.schedule} reaches no optimizer: the rate stays at {listed(fact.rates)}"
        severity = Severity.WARNING if fact.same and _ran_out(seen) else Severity.NOTE
        yield rule("MP210").at(message, at.file, at.line, severity=severity)


def _not_finite(one: Optimizer) -> Finding | None:
    bad = next(((update, rate) for update, rate in one.rates if not math.isfinite(rate)), None)
    if bad is None:
        return None
    message = f"the learning rate of update {bad[0]} is {bad[1]}{_of(one)}"
    return rule("MP210").at(message, one.file, one.line, severity=Severity.ERROR, update=bad[0])


def _zero(one: Optimizer) -> Finding | None:
    if len(one.rates) < 3 or one.rates[-1][0] < ENOUGH_UPDATES or any(rate for _, rate in one.rates):
        return None
    message = f"the learning rate is 0 in all {one.rates[-1][0]} updates{_of(one)}"
    return rule("MP210").at(message, one.file, one.line, severity=Severity.ERROR, updates=one.rates[-1][0])


def _floor(one: Optimizer) -> Finding | None:
    """Tell of a rate that has fallen far below its peak, and stays there for most of the updates."""
    if not one.rates or one.rates[-1][0] < 2 * ENOUGH_UPDATES:
        return None
    peak = max(rate for _, rate in one.rates)
    last = one.rates[-1][0]
    above = max((update for update, rate in one.rates if rate > FLOOR * peak), default=last)
    later = [rate for update, rate in one.rates if update > above]
    first = min((update for update, _ in one.rates if update > above), default=last)  # that is known to be so low
    share = (last - first + 1) / last
    vanishes = last - first > SHARE * last and not one.schedule and later[-1] < NOTHING * peak
    if not vanishes and (len(later) < 3 or share <= MOST):
        return None
    low = f"at most {max(later):.2g}" if max(later) else "0"
    message = f"the learning rate is {low} from update {first:,} of {last:,} on, at the latest, after a peak of "
    message += f"{peak:.2g}{_of(one)}"
    found = rule("MP210").at(message, one.file, one.line, updates=last, share=share, peak=peak)
    return replace(found, instead=f"{LONGER}: {last:,} here." if one.schedule else AS_MEANT)


def _too_small(seen: Observation, one: Optimizer) -> Finding | None:
    """Tell of an Adam whose updates move a weight by about the rate each, and by next to nothing all together."""
    losses = [loss.value for loss in seen.losses if math.isfinite(loss.value)]
    half = len(losses) // 2
    fresh = not seen.has(Resumed) and all(fact.supervised for fact, _ in seen.facts(Supervision))
    alone = one.name.startswith("Adam") and len(seen.sheet.optimizers) == 1 and len(one.rates) > 1
    if not (fresh and alone and half > 1) or one.rates[-1][0] < MANY_UPDATES:
        return None
    fell = statistics.median(losses[:half]) - statistics.median(losses[half:])
    if fell > statistics.pstdev(losses) / 2:
        return None
    pairs = itertools.pairwise([(0, one.rates[0][1]), *one.rates])
    way = sum((update - before) * max(rate, last) for (before, last), (update, rate) in pairs)
    if not 0 < way < SLIGHT:
        return None
    updates, peak = one.rates[-1][0], max(rate for _, rate in one.rates)
    message = f"with rates of at most {peak:.2g} all {updates:,} updates together move a weight by about {way:.1g}"
    return rule("MP210").at(f"{message}, and the loss does not fall", one.file, one.line, updates=updates, way=way)


def _other_unit(seen: Observation, one: Optimizer) -> Finding | None:
    """Tell of a schedule that is as long as the run in gradient calls, of which each update takes several."""
    sheet = seen.sheet
    if not _ran_out(seen) or sheet.updates < ENOUGH_UPDATES or sheet.gradients < 2 * sheet.updates:
        return None
    if not one.span or abs(one.span - sheet.gradients) > SAME_SPAN * sheet.gradients:
        return None
    message = (
        f"the schedule takes {one.span:,} updates, as many as the run has gradient calls; it has "
        f"{sheet.updates:,} updates, and the rate ends at {one.rates[-1][1]:.2g}"
    )
    return rule("MP210").at(message, one.file, one.line, span=one.span, updates=sheet.updates)


def _warmup(seen: Observation, one: Optimizer) -> Finding | None:
    """Tell of a run that came to its own end within the warm-up."""
    if not _ran_out(seen) or not one.rates:
        return None
    if not one.warmup:
        return _rising(one)
    updates = one.rates[-1][0]
    if updates < ENOUGH_UPDATES or updates > one.warmup:
        return None
    message = (
        f"{one.name} ends after {updates:,} updates of a warm-up of {one.warmup:,}, at a rate of {one.rates[-1][1]:.2g}"
    )
    severity = Severity.WARNING if updates >= LONG_RUN else Severity.NOTE
    return rule("MP210").at(message, one.file, one.line, severity=severity, updates=updates, warmup=one.warmup)


def _rising(one: Optimizer) -> Finding | None:
    """Tell of a rate without a known schedule that rises by the same amount at each update, from first to last."""
    (begins, low), (updates, high) = one.rates[0], one.rates[-1]
    if one.span or len(one.rates) < ENOUGH_RATES or updates < ENOUGH_UPDATES or high < 2 * low:
        return None
    slope = (high - low) / (updates - begins)
    far = max(STRAIGHT * high, 1.5 * slope)  # a rate may be read when it has been set for the next update
    if any(abs(rate - low - slope * (update - begins)) > far for update, rate in one.rates):
        return None
    message = f"the learning rate rises evenly from {low:.2g} to {high:.2g}, up to the last of {updates:,} updates"
    return rule("MP210").at(message, one.file, one.line, severity=Severity.NOTE, updates=updates)


def _ran_out(seen: Observation) -> bool:
    """Tell whether the program came to an end of its own: what it was to do later was not left undone by us."""
    return seen.finished and seen.ended == "exited"


def _of(one: Optimizer) -> str:
    return f" ({one.schedule})" if one.schedule else ""


def _clipped_away(seen: Observation) -> Iterator[Finding]:
    """Tell of updates that are clipped to so little that all of them together cannot move the weights far."""
    rate = max((rate for one in seen.sheet.optimizers for _, rate in one.rates), default=0.0)
    one = len(seen.sheet.optimizers) == 1 and seen.sheet.updates >= MANY_UPDATES and not seen.has(Resumed)
    for fact, at in seen.facts(ClippedAway) if one else ():
        far = rate * fact.norm * seen.sheet.updates / max(1 - fact.momentum, 0.01)
        way = far / fact.size if fact.size else 1.0
        if 0 < way < NOWHERE:
            message = f"clip_grad_norm leaves less than 1/{fact.times:.0f} of each gradient, at all {fact.looks} "
            message += f"looks: with a limit of {fact.limit:g} and a rate of {rate:.3g} all {seen.sheet.updates} "
            message += f"updates together move the weights by {way:.1%} of their size at most"
            yield rule("MP212").at(message, at.file, at.line, limit=fact.limit, way=way)


@finding("MP212", "clipped-everywhere", Severity.WARNING)
def clipped_everywhere(seen: Observation) -> Iterator[Finding]:
    """Most elements of the gradients sit exactly at the clipping value, or clipping by norm changes none of them.

    In the first case the update keeps the signs and loses the sizes: a small gradient counts as much as a large one,
    and clipping by norm afterwards only scales what is left. In the second, the optimizer gets the very gradients that
    were clipped, at steps where their norm is above the limit: `clip_grad_norm` returns new ones and changes none.
    Gradients of a loss that was scaled are clipped too early before they are divided by the scale: the limit is divided
    as well, and all updates have that length. A limit that leaves less than a fiftieth of each gradient is told
    where all updates of SGD together cannot move the weights by a tenth of their size. A note, where the optimizer
    makes nothing of the size of gradients.

    Example: `tree_map(lambda g: mx.clip(g, -1e-3, 1e-3), grads)`, with gradients of 0.1;
    `optim.clip_grad_norm(grads, 1.0)` with its result dropped, or before `tree_map(lambda g: g / 1024, grads)`.

    Use instead: `grads, norm = optim.clip_grad_norm(grads, max_norm=1.0)`, alone, and after the division.
    """
    for fact, at in seen.facts(ClippedEverywhere):
        share, limit = fact.share, fact.limit
        message = f"{share:.0%} of the gradients' elements are exactly ±{limit:.3g} when they reach the optimizer"
        yield rule("MP212").at(message + seen_at(fact), at.file, at.line, share=share, limit=limit)
    for fact, at in seen.facts(ClippedResultUnused):
        limit, times = fact.limit, fact.times
        message = (
            f"the optimizer gets the gradients as they were before they were clipped, although their norm is up to "
            f"{times:,.3g} times the limit of {limit:g}"
        )
        severity = Severity.NOTE if fact.meant else Severity.WARNING
        found = rule("MP212").at(message, at.file, at.line, severity=severity, limit=limit, times=times)
        kept = f"`grads, norm = optim.clip_grad_norm(grads, max_norm={limit:g})`: what it returns goes to the update."
        yield replace(found, instead=kept)
    yield from _clipped_away(seen)
    for fact, at in seen.facts(ClippedWhileScaled):
        limit, scale = fact.limit, fact.scale
        message = f"the gradients are clipped to a norm of {limit:g} and then divided by {scale:,.0f}, by which their "
        message += f"loss seems to be scaled: at every look they have a norm of {fact.norm:.3g}"
        severity = Severity.WARNING if fact.optimizer == "SGD" else Severity.NOTE
        yield rule("MP212").at(message, at.file, at.line, severity=severity, limit=limit, scale=scale)
