"""Findings about weights and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.files import (
    LoadedUnused,
    OptimizerStateNotSaved,
    OptimizerStateUnread,
    OptimizerStateWiped,
    WeightsDiffer,
)
from mlxprobe.protocol.facts.updates import OptimizerRenewed, ScheduleRestarted
from mlxprobe.rules.registry import finding, listed, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

LONG_PHASE = 500  # updates: Adam's moments have come back long before its end

ONCE = "one optimizer for the whole training, made before the loop: it keeps its moments and counts its steps."
IF_RESUMED = (
    "`optimizer.state`, saved with the weights and read with them, where the same training goes on; what is "
    "fine-tuned for something else, or only used, can stay so."
)


@finding("MP401", "weights-not-loaded")
def weights_not_loaded(seen: Observation) -> Iterator[Finding]:
    """Loaded keys or shapes do not match the model.

    `load_weights(..., strict=False)` drops keys that the model does not have, leaves those that the file does not
    have at random, and takes over arrays of any shape, all in silence. A file all of whose keys are in the model is a
    part or an adapter, and no finding; where nothing else was loaded, a note names what stays as it was made.

    Example: a checkpoint whose keys begin with `model.`, loaded with `strict=False`.

    Use instead: `strict=True`, after renaming the keys.
    """
    told = set()
    for fact, at in seen.every(WeightsDiffer):
        if found := misfit(fact, refused=seen.raised is not None):
            told.add((at.file, at.line))
            yield rule("MP401").at(found[1], at.file, at.line, severity=found[0])
    for fact, at in seen.facts(LoadedUnused):
        if fact.unused and (at.file, at.line) not in told:
            message = f"none of the {fact.arrays} arrays of {fact.file} is ever evaluated: "
            yield rule("MP401").at(f"{message}they have not reached the model", at.file, at.line)


def misfit(fact: WeightsDiffer, *, refused: bool) -> tuple[Severity, str] | None:
    """Judge weights that do not fit their module; None where they are a part of it, or more than it needs.

    What `strict=True` refuses is a finding where the program ended with it.
    """
    shown = {"missing": fact.missing, "extra": fact.extra, "shape": fact.shape}
    text = "; ".join(f"{kind}: {listed(names)}" for kind, names in shown.items() if names)
    if fact.ranks:
        return None  # an adapter of another rank, which has a code of its own
    if fact.strict:
        return (Severity.ERROR, f"weights do not fit the model; {text}") if refused else None
    left, fresh = f"{fact.left} of {fact.of} parameters", fact.left and fact.first and not fact.partial
    kinds = (
        (fact.shape, Severity.ERROR, f"weights of other shapes are taken over; {text}"),
        (fact.extra and not fact.taken, Severity.ERROR, f"the model has none of these weights; {text}"),
        (fact.renamed, Severity.ERROR, f"weights are left out for their prefix: {listed(fact.renamed)}"),
        (fact.extra and fact.resemble, Severity.WARNING, f"weights seem to have other names than theirs; {text}"),
        (fresh, Severity.NOTE, f"{left} are not among these weights: {listed(fact.missing)}"),
    )
    return next(((severity, message) for holds, severity, message in kinds if holds), None)


@finding("MP402", "optimizer-state-lost", Severity.WARNING)
def optimizer_state_lost(seen: Observation) -> Iterator[Finding]:
    """Training resumes without its optimizer state, or makes its optimizer anew again and again.

    The moments start again from zero, and with them the first steps are as large as at the very beginning. Optimizers
    that one line makes count where they have the same rate and parameters, and nobody sets state or weights in between.
    With a schedule they count where each is replaced before the schedule's end: it begins anew, and is never followed.
    Whoever restarts a schedule at its end does so on purpose; after a long phase without one this is a note, and so it
    is where several models are trained in rounds, one after the other. So is what goes on from a file of weights alone,
    unless the same schedule begins anew with it, long before its end.

    Example: `model.load_weights("step100/model.safetensors")` beside an `optimizer.safetensors` that nobody reads.

    Use instead: `optimizer.state = tree_unflatten(list(mx.load("step100/optimizer.safetensors").items()))`.
    """
    for fact, at in seen.facts(OptimizerRenewed):
        updates, span = fact.updates, fact.span
        message = f"{fact.optimizer} is made again and again, after {counted(updates, 'update')} or more each "
        message += "time: its moments start from zero"
        message += f", and its schedule of {span:,} updates starts again" if span else ""
        rests = updates >= LONG_PHASE or fact.rounds
        severity = Severity.WARNING if span or not rests else Severity.NOTE
        evidence = {"updates": updates} | ({"span": span} if span else {})
        found = rule("MP402").at(message, at.file, at.line, severity=severity, **evidence)
        yield replace(found, instead=ONCE)
    for fact, at in seen.facts(OptimizerStateUnread):
        message = f"training goes on from {fact.weights} and leaves {listed(fact.unread)} unread"
        yield rule("MP402").at(message, at.file, at.line)
    for fact, at in seen.facts(OptimizerStateWiped):
        kept = fact.kept
        begins = f"goes on at step {kept} without the moments in it" if kept else "begins at step 0 all the same"
        yield rule("MP402").at(f"{fact.file} was read, and the optimizer {begins}", at.file, at.line)
    unmatched = any(fact.extra and not fact.taken for fact, _ in seen.every(WeightsDiffer))  # nothing was loaded
    for fact, at in seen.facts(OptimizerStateNotSaved) if not unmatched else ():
        message = (
            f"training goes on from {fact.weights}, which this program saved after {fact.updates} updates, with a new "
            "optimizer"
        )
        cut = next((one for one, _ in seen.every(ScheduleRestarted) if one.updates == fact.updates), None)
        if cut is None:
            told = rule("MP402").at(message, at.file, at.line, severity=Severity.NOTE)
            yield replace(told, instead=IF_RESUMED)
        else:
            message += f" like its last, whose schedule starts again after {cut.made:,} of {cut.span:,} updates"
            yield rule("MP402").at(message, at.file, at.line, updates=cut.made, span=cut.span)
