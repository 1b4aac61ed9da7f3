"""Findings about what is evaluated, and when."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from mlxprobe.protocol.facts.gradients import FirstGradient
from mlxprobe.protocol.facts.memory import GraphRetained
from mlxprobe.protocol.facts.models import UnevaluatedPass
from mlxprobe.protocol.facts.updates import FirstUpdate, UpdatesPutOff
from mlxprobe.protocol.facts.work import IneffectiveEvaluation, LongEvaluation, LongEvaluationByHand
from mlxprobe.rules.registry import finding, listed, place, rule
from mlxprobe.rules.rewriting import with_evaluated_item
from mlxprobe.schema.enums import HangKind, Severity
from mlxprobe.schema.metrics import growth_per_step, megabytes, pending_slope, standing, steps_done
from mlxprobe.schema.observation import Observation, Sighting
from mlxprobe.schema.record import Finding

GROWING = 10.0  # operations a step; the optimizer's own step counter adds one, which harms nobody
KEPT = 256.0  # bytes a step; a few pending operations on scalars keep a tenth of that
MANY_STEPS = 5
OFTEN = 16  # steps: who evaluates at least so often, again and again, means it
PILED = 10  # times what waited before
SURE_STEPS = 64  # before it is told while the program runs
ENOUGH_LOOKS, ONE_STEP = 4, 30  # looks; pending operations at each of them
ALIKE = 1.5  # times the least: who evaluates every few steps has other amounts waiting at each
LONG_S, HANGS_S = 0.1, 1.0  # of one evaluation, that is felt; that may be taken for a hang
SHORT_S, OF_RUN = 0.01, 0.1  # in a short run: what can be measured, and its share of the run
TURNS_READ, RISE_BYTES = 2, 1_000_000  # windows of a run; memory by which one rises
TURNS = 3  # times that a loop evaluates, at least, which means it
NAME = re.compile(r"[\w.]+")
KEPT_BY = (
    "evaluate it in each step, with the update: `mx.eval({variable}, model.parameters(), optimizer.state)`; of a loss "
    "or a metric keep the number alone: `loss.item()`."
)
BY_HAND = "`mx.eval(loss, parameters)` after each update, with all that it changes."


@finding("MP101", "unevaluated-update")
def unevaluated_update(seen: Observation) -> Iterator[Finding]:
    """Pending operations of parameters or optimizer state grow every step.

    MLX is lazy: an update only describes the new parameters. A loop that never evaluates them lengthens that
    description by a whole step each time, and with it memory and the first evaluation.

    Example: a loop that ends with `optimizer.update(model, grads)`.

    Use instead: `mx.eval(model.parameters(), optimizer.state)` after each update.
    """
    slope, late = pending_slope(seen), [*seen.facts(UpdatesPutOff)]
    if evaluates(seen):
        return
    if slope >= GROWING and (seen.ended != "running" or steps_done(seen) >= SURE_STEPS):
        where = place(seen, FirstUpdate, FirstGradient)
        read = max((fact.lazy_steps for fact, _ in seen.facts(LongEvaluation)), default=0)
        told = rule("MP101").at(
            f"{slope:,.0f} more operations are pending after every step: parameters or optimizer state are "
            + (f"evaluated only where something is read, {read} steps at once" if read else "never evaluated"),
            *((late[0][1].file, late[0][1].line) if late else where),
            operations_per_step=slope,
            steps=steps_done(seen),
        )
        yield told if seen.has(FirstUpdate) else replace(told, instead=BY_HAND)
    elif late and _piles_up(seen, *late[-1]):
        fact, at = late[-1]
        message = f"{fact.updates} updates and more are made without any evaluation: each waits for all before it"
        yield rule("MP101").at(message, at.file, at.line, updates=fact.updates)


def evaluates(seen: Observation) -> bool:
    """Tell whether a program has asked for what was pending when it was last looked at, and has gone on for as long."""
    looked = max((step.n for step in seen.steps if step.pending is not None), default=0)
    meant = [(fact.lazy_steps, at.step) for fact, at in seen.every(LongEvaluation) if fact.whole]
    by_hand = [(fact, at) for fact, at in seen.every(LongEvaluationByHand) if at.count > 1 and fact.seconds < HANGS_S]
    meant += [(fact.lazy_steps, at.step) for fact, at in by_hand]
    return any(looked <= step <= steps_done(seen) - put_off for put_off, step in meant)


def _piles_up(seen: Observation, late: UpdatesPutOff, at: Sighting[UpdatesPutOff]) -> bool:
    """Tell whether far more was pending at the last look at updates that were put off than at any before them.

    Where we do not hear of an evaluation, as of those by NumPy, nothing piles up.
    """
    began = at.step - late.updates
    known = [(step.n, step.pending) for step in seen.steps if step.pending is not None]
    before = max((pending for n, pending in known if n <= began), default=0)
    return bool(known) and known[-1][0] > began and known[-1][1] >= max(PILED * before, GROWING * SURE_STEPS)


@finding("MP102", "deferred-stall")
def deferred_stall(seen: Observation) -> Iterator[Finding]:
    """One evaluation ran the work of many steps.

    Work that was put off is not saved: the first value that is read pays for all of it at once, and looks like a
    hang there. It is reported from a tenth of a second on, and in a short run from a tenth of the run on. A program
    that evaluates all that was trained every few steps, again and again, means it; where that takes less than a second,
    and less than a third of all steps, it is a note.

    Example: 300 steps without an evaluation, then `loss.item()`.

    Use instead: evaluate once a step.
    """
    steps = steps_done(seen)
    silence = seen.silence
    if silence and silence.kind is not HangKind.DEADLOCK and pending_slope(seen) >= GROWING:
        yield rule("MP102").at(
            f"one evaluation runs the work of {steps} steps",
            *standing(seen),
            steps=steps,
            seconds_so_far=silence.silent_s,
        )
    longest = sorted(seen.every(LongEvaluation), key=lambda one: one[0].seconds)
    late: list[tuple[LongEvaluation | LongEvaluationByHand, Sighting[Any]]]
    late = [*{(at.file, at.line): (fact, at) for fact, at in longest}.values()]
    late += seen.facts(LongEvaluationByHand) if pending_slope(seen) >= GROWING and not seen.has(FirstUpdate) else ()
    for fact, at in late:
        put_off, seconds = fact.lazy_steps, fact.seconds
        if put_off >= MANY_STEPS:
            if seconds < min(LONG_S, max(SHORT_S, OF_RUN * ((seen.finished_s or seen.wall_s) - seen.begun_s))):
                continue
            whole = isinstance(fact, LongEvaluation) and fact.whole
            if whole and put_off <= OFTEN and steps_done(seen) >= TURNS * put_off:
                continue
            severity = Severity.ERROR if seconds >= LONG_S else Severity.WARNING
            if steps_done(seen) >= TURNS * put_off and seconds < HANGS_S:
                severity = Severity.NOTE
            message = f"one evaluation ran the work of {put_off} steps and took {seconds:.2g} s"
            yield rule("MP102").at(message, at.file, at.line, severity=severity, steps=put_off, seconds=seconds)


@finding("MP104", "ineffective-eval", Severity.WARNING)
def ineffective_eval(seen: Observation) -> Iterator[Finding]:
    """An `mx.eval` call evaluated nothing.

    `mx.eval` ignores whatever is not an array, list, tuple or dict: a generator, a bound method, an optimizer.

    Example: `mx.eval(model.parameters)`, `mx.eval(optimizer)`.

    Use instead: `mx.eval(model.parameters(), optimizer.state)`.
    """
    for fact, at in seen.facts(IneffectiveEvaluation):
        given = listed(fact.kinds) or "nothing"
        yield rule("MP104").at(f"mx.eval was given {given}: it evaluates no array", at.file, at.line)


@finding("MP105", "retained-graph", Severity.WARNING, needs="pending operations", rewrite=with_evaluated_item)
def retained_graph(seen: Observation) -> Iterator[Finding]:
    """A loss, metric or gradient is accumulated without evaluation.

    An unevaluated array keeps the graph that it is to be computed from, and with it that step's arrays. A list or a
    running sum of them grows in memory, and is paid for when it is read at last. A few operations a step that keep
    nothing but scalars, such as a sum of evaluated losses, are a note. Where a variable was seen to be read and
    reset, twice or more in the time of the run, what it keeps has a bound. Nothing is reported then, except as a note
    where MLX's memory doubles in between, by a megabyte at least.

    Example: `total = total + loss`, `losses.append(loss)`.

    Use instead: `total += loss.item()`, or evaluate it with the update: `mx.eval(total, model.parameters(), ...)`.
    """
    if pending_slope(seen) >= GROWING or (seen.ended == "running" and steps_done(seen) < SURE_STEPS):
        return
    every = {(at.file, at.line, fact.variable): (fact, at) for fact, at in seen.every(GraphRetained)}
    for fact, at in every.values():  # the last of each
        count, each = fact.operations, fact.per_step
        when = f" at step {at.step:,}" if at.step else ""
        message = f"{fact.variable} keeps {count:,} pending operations{when}, {each:,.0f} more every step"
        harmless = each < GROWING and growth_per_step(seen) < KEPT
        severity = Severity.NOTE if harmless else Severity.WARNING
        window = fact.window if fact.resets else math.inf
        if TURNS_READ * window <= steps_done(seen):
            if not (rise := _rise_between(seen)):
                continue
            message = f"{fact.variable} keeps the graphs of up to {window:.0f} steps, until it is read: "
            message += f"memory rises by {megabytes(rise)} in between"
            severity = Severity.NOTE
        found = {"operations": count, "operations_per_step": each}
        made = rule("MP105").at(message, at.file, at.line, severity=severity, **found)
        named = KEPT_BY.format(variable=fact.variable) if NAME.fullmatch(fact.variable) else ""
        yield replace(made, instead=named)


def _rise_between(seen: Observation) -> int:
    """Return by how much the memory of MLX's arrays rises above what it falls back to; 0 where that is little."""
    active = sorted(step.active_bytes for step in seen.steps if step.active_bytes)
    floor = active[len(active) // 4] if active else 0
    rise = active[-1] - floor if active else 0
    return rise if rise > max(floor, RISE_BYTES) else 0


@finding("MP106", "evaluated-late", Severity.NOTE)
def evaluated_late(seen: Observation) -> Iterator[Finding]:
    """An update is evaluated only by the next step's loss.

    Nothing is lost, and nothing grows; but the first step looks fast, each later one pays for the one before, and the
    last update is paid for after the loop. Times per step that are read off such a loop say nothing.

    Example: `mx.eval(loss)`, or `loss.item()`, as the only evaluation of a step.

    Use instead: `mx.eval(loss, model.parameters(), optimizer.state)` after the update.
    """
    known = [step.pending for step in seen.steps if step.pending is not None]
    each = len(known) >= ENOUGH_LOOKS and min(known) >= ONE_STEP and statistics.median(known) <= ALIKE * min(known)
    updates = seen.sheet.updates or seen.sheet.uncounted
    if each and updates and pending_slope(seen) < GROWING:
        message = f"{min(known):,} operations of each update wait for the next step's loss"
        yield rule("MP106").at(message, *place(seen, FirstUpdate, FirstGradient), operations=min(known))


@finding("MP107", "unevaluated-pass", Severity.WARNING)
def unevaluated_pass(seen: Observation) -> Iterator[Finding]:
    """A validation or test pass builds one graph of all its batches.

    Nothing is computed until its result is read; then every batch's arrays are in memory at once, and the peak is far
    above that of a training step. Below a megabyte that is a note.

    Example: `sum(loss_fn(model, x, y) for x, y in batches).item()`; `mx.concatenate([model(x) for x in batches])`.

    Use instead: `loss_fn(model, x, y).item()`, or `mx.eval(total)` after each batch.
    """
    for fact, at in seen.facts(UnevaluatedPass):
        rise = f"from {megabytes(fact.before_bytes)} to {megabytes(fact.peak_bytes)}"
        message = f"a pass of {fact.losses} batches is one graph: the peak of memory goes {rise}"
        severity = Severity.NOTE if fact.small else Severity.WARNING
        found = {"batches": fact.losses, "peak_bytes": fact.peak_bytes}
        yield rule("MP107").at(message, at.file, at.line, severity=severity, **found)
