"""Findings about weights and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.registry import facts, finding, listed, rule
from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

LONG_PHASE = 500  # updates: Adam's moments have come back long before its end

IF_RESUMED = (
    "`optimizer.state`, saved beside the weights and read with them, where the same training goes on; what is "
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
    for fact in seen.facts:
        if fact.name == "weights differ" and (found := misfit(fact, refused=seen.raised is not None)):
            told.add((fact.file, fact.line))
            yield rule("MP401").at(found[1], fact.file, fact.line, severity=found[0])
    for fact in facts(seen, "loaded but unused"):
        arrays, file = fact.detail["arrays"], fact.detail["file"]
        if fact.detail["unused"] and (fact.file, fact.line) not in told:
            message = f"none of the {arrays} arrays of {file} is ever evaluated: they have not reached the model"
            yield rule("MP401").at(message, fact.file, fact.line)


def misfit(fact: Fact, *, refused: bool) -> tuple[Severity, str] | None:
    """Judge weights that do not fit their module; None where they are a part of it, or more than it needs.

    What `strict=True` refuses is a finding where the program ended with it.
    """
    shown = {kind: listed(fact.detail[kind]) for kind in ("missing", "extra", "shape", "renamed") if fact.detail[kind]}
    text = "; ".join(f"{kind}: {names}" for kind, names in shown.items() if kind != "renamed")
    if fact.detail.get("ranks"):
        return None  # an adapter of another rank, which has a code of its own
    if fact.detail["strict"]:
        return (Severity.ERROR, f"weights do not fit the model; {text}") if refused else None
    extra, left = "extra" in shown, f"{fact.detail['left']} of {fact.detail['of']} parameters"
    fresh = fact.detail["left"] and fact.detail["first"] and not fact.detail["partial"]
    kinds = (
        ("shape" in shown, Severity.ERROR, f"weights of other shapes are taken over; {text}"),
        (extra and not fact.detail["taken"], Severity.ERROR, f"the model has none of these weights; {text}"),
        ("renamed" in shown, Severity.ERROR, f"weights are left out for their prefix: {shown.get('renamed')}"),
        (extra and fact.detail["resemble"], Severity.WARNING, f"weights seem to have other names than theirs; {text}"),
        (fresh, Severity.NOTE, f"{left} are not among these weights: {shown.get('missing')}"),
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
    for fact in facts(seen, "optimizer renewed"):
        times, updates, span = (float(str(fact.detail[name])) for name in ("times", "updates", "span"))
        message = f"a new {fact.detail['optimizer']}, without state, goes on where another like it was, again and again"
        message += f", and begins its schedule anew after {updates:,.0f} of {span:,.0f} updates" if span else ""
        rests = updates >= LONG_PHASE or fact.detail.get("rounds")
        severity = Severity.WARNING if span or not rests else Severity.NOTE
        evidence = {"renewals": times, "updates": updates} | ({"span": span} if span else {})
        yield rule("MP402").at(message, fact.file, fact.line, severity=severity, **evidence)
    for fact in facts(seen, "optimizer state unread"):
        message = f"training goes on from {fact.detail['weights']} and leaves {listed(fact.detail['unread'])} unread"
        yield rule("MP402").at(message, fact.file, fact.line)
    for fact in facts(seen, "optimizer state wiped"):
        kept = fact.detail.get("kept")
        begins = f"goes on at step {kept} without the moments in it" if kept else "begins at step 0 all the same"
        message = f"{fact.detail['file']} was read, and the optimizer {begins}"
        yield rule("MP402").at(message, fact.file, fact.line)
    begun = [fact for fact in seen.facts if fact.name == "schedule begun anew"]
    for fact in facts(seen, "optimizer state not saved"):
        message = (
            f"training goes on from {fact.detail['weights']}, which this program saved after {fact.detail['updates']} "
            "updates, with a new optimizer"
        )
        cut = next((one.detail for one in begun if one.detail["updates"] == fact.detail["updates"]), None)
        if cut is None:
            told = rule("MP402").at(message, fact.file, fact.line, severity=Severity.NOTE)
            yield replace(told, instead=IF_RESUMED)
        else:
            made, span = float(str(cut["made"])), float(str(cut["span"]))
            message += f" like its last, whose schedule begins anew after {made:,.0f} of {span:,.0f} updates"
            yield rule("MP402").at(message, fact.file, fact.line, updates=made, span=span)
