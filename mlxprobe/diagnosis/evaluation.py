"""Findings about what is evaluated, and when."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.registry import facts, finding, listed, place, rule
from mlxprobe.values.measures import growth_per_step, megabytes, pending_slope, standing, steps_done
from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import HangKind, Severity

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
BY_HAND = "`mx.eval(loss, parameters)` after each update, with all that it changes."
EVALUATED = "long evaluation", "long evaluation by hand"


@finding("MP101", "unevaluated-update")
def unevaluated_update(seen: Observation) -> Iterator[Finding]:
    """Pending operations of parameters or optimizer state grow every step.

    MLX is lazy: an update only describes the new parameters. A loop that never evaluates them lengthens that
    description by a whole step each time, and with it memory and the first evaluation.

    Example: a loop that ends with `optimizer.update(model, grads)`.

    Use instead: `mx.eval(model.parameters(), optimizer.state)` after each update.
    """
    slope, late = pending_slope(seen), [*facts(seen, "updates put off")]
    if evaluates(seen):
        return
    if slope >= GROWING and (seen.ended != "running" or steps_done(seen) >= SURE_STEPS):
        where = place(seen, "first update", "first gradient")
        read = max((_put_off(fact) for fact in facts(seen, "long evaluation")), default=0)
        told = rule("MP101").at(
            f"{slope:,.0f} more operations are pending after every step: parameters or optimizer state are "
            + (f"evaluated only where something is read, {read} steps at once" if read else "never evaluated"),
            *((late[0].file, late[0].line) if late else where),
            operations_per_step=slope,
            steps=steps_done(seen),
        )
        by_hand = not any(fact.name == "first update" for fact in seen.facts)
        yield replace(told, instead=BY_HAND) if by_hand else told
    elif late and _piles_up(seen, late[-1]):
        count = int(str(late[-1].detail["updates"]))
        message = f"{count} updates and more are made without any evaluation: each waits for all before it"
        yield rule("MP101").at(message, late[-1].file, late[-1].line, updates=count)


def evaluates(seen: Observation) -> bool:
    """Tell whether a program has asked for what was pending when it was last looked at, and has gone on for as long."""
    looked = max((step.n for step in seen.steps if step.pending is not None), default=0)
    late = [fact for fact in seen.facts if fact.name in EVALUATED and fact.step >= looked]
    short = [fact for fact in late if fact.count > 1 and float(str(fact.detail["seconds"])) < HANGS_S]
    meant = [fact for fact in late if fact.detail.get("whole") or (fact.name == EVALUATED[1] and fact in short)]
    return any(_put_off(fact) <= steps_done(seen) - fact.step for fact in meant)


def _piles_up(seen: Observation, late: Fact) -> bool:
    """Tell whether far more was pending at the last look at updates that were put off than at any before them.

    Where we do not hear of an evaluation, as of those by NumPy, nothing piles up.
    """
    began = late.step - int(str(late.detail["updates"]))
    known = [(step.n, step.pending) for step in seen.steps if step.pending is not None]
    before = max((pending for n, pending in known if n <= began), default=0)
    return bool(known) and known[-1][0] > began and known[-1][1] >= max(PILED * before, GROWING * SURE_STEPS)


def _seconds(fact: Fact) -> float:
    return float(str(fact.detail.get("seconds", 0.0)))


def _put_off(fact: Fact) -> int:
    return int(str(fact.detail.get("lazy_steps", 0)))


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
    by_hand = pending_slope(seen) >= GROWING and not any(fact.name == "first update" for fact in seen.facts)
    by_hand_facts = facts(seen, "long evaluation by hand") if by_hand else ()
    worst = {(fact.file, fact.line): fact for fact in sorted(seen.facts, key=_seconds) if fact.name == EVALUATED[0]}
    for fact in (*worst.values(), *by_hand_facts):
        put_off = _put_off(fact)
        if put_off >= MANY_STEPS:
            seconds = _seconds(fact)
            if seconds < min(LONG_S, max(SHORT_S, OF_RUN * ((seen.finished_s or seen.wall_s) - seen.begun_s))):
                continue
            if fact.detail.get("whole") and put_off <= OFTEN and steps_done(seen) >= TURNS * put_off:
                continue
            severity = Severity.ERROR if seconds >= LONG_S else Severity.WARNING
            if steps_done(seen) >= TURNS * put_off and seconds < HANGS_S:
                severity = Severity.NOTE
            message = f"one evaluation ran the work of {put_off} steps and took {seconds:.2g} s"
            yield rule("MP102").at(message, fact.file, fact.line, severity=severity, steps=put_off, seconds=seconds)


@finding("MP104", "ineffective-eval", Severity.WARNING)
def ineffective_eval(seen: Observation) -> Iterator[Finding]:
    """An `mx.eval` call evaluated nothing.

    `mx.eval` ignores whatever is not an array, list, tuple or dict: a generator, a bound method, an optimizer.

    Example: `mx.eval(model.parameters)`, `mx.eval(optimizer)`.

    Use instead: `mx.eval(model.parameters(), optimizer.state)`.
    """
    for fact in facts(seen, "ineffective evaluation"):
        given = listed(fact.detail.get("kinds", [])) or "nothing"
        yield rule("MP104").at(f"mx.eval was given {given}: it evaluates no array", fact.file, fact.line)


@finding("MP105", "retained-graph", Severity.WARNING, needs="pending operations")
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
    every = {(fact.file, fact.line, fact.detail["variable"]): fact for fact in seen.facts if fact.name == "retained"}
    for fact in every.values():  # the last of each
        count, each = float(str(fact.detail["operations"])), float(str(fact.detail["per_step"]))
        message = f"{fact.detail['variable']} keeps {count:,.0f} pending operations, {each:,.0f} more every step"
        harmless = each < GROWING and growth_per_step(seen) < KEPT
        severity = Severity.NOTE if harmless else Severity.WARNING
        window = float(str(fact.detail["window"])) if fact.detail["resets"] else math.inf
        if TURNS_READ * window <= steps_done(seen):
            if not (rise := _rise_between(seen)):
                continue
            message = f"{fact.detail['variable']} keeps the graphs of up to {window:.0f} steps, until it is read: "
            message += f"memory rises by {megabytes(rise)} in between"
            severity = Severity.NOTE
        found = {"operations": count, "operations_per_step": each}
        yield rule("MP105").at(message, fact.file, fact.line, severity=severity, **found)


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
    updates = seen.sheet.by_hand or seen.sheet.uncounted or any(fact.name == "first update" for fact in seen.facts)
    if each and updates and pending_slope(seen) < GROWING:
        message = f"{min(known):,} operations of each update wait for the next step's loss"
        yield rule("MP106").at(message, *place(seen, "first update", "first gradient"), operations=min(known))


@finding("MP107", "unevaluated-pass", Severity.WARNING)
def unevaluated_pass(seen: Observation) -> Iterator[Finding]:
    """A validation or test pass builds one graph of all its batches.

    Nothing is computed until its result is read; then every batch's arrays are in memory at once, and the peak is far
    above that of a training step. Below a megabyte that is a note.

    Example: `sum(loss_fn(model, x, y) for x, y in batches).item()`; `mx.concatenate([model(x) for x in batches])`.

    Use instead: `loss_fn(model, x, y).item()`, or `mx.eval(total)` after each batch.
    """
    for fact in facts(seen, "unevaluated pass"):
        batches, before, peak = (float(str(fact.detail[name])) for name in ("losses", "before_bytes", "peak_bytes"))
        rise = f"from {megabytes(before)} to {megabytes(peak)}"
        message = f"a pass of {batches:.0f} batches is one graph: the peak of memory goes {rise}"
        severity = Severity.NOTE if fact.detail.get("small") else Severity.WARNING
        yield rule("MP107").at(message, fact.file, fact.line, severity=severity, batches=batches, peak_bytes=peak)
