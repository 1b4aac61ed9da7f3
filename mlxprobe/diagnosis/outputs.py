"""Findings about what a model's outputs depend on."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.gradients import ZeroGradient
from mlxprobe.protocol.facts.losses import LogitsAlike, LogitsNarrow
from mlxprobe.protocol.facts.models import InputIdle, InputZero, OnePlace, OutputsAlike, OutputsCollapsed
from mlxprobe.rules.registry import finding, listed, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP312", "idle-input", Severity.WARNING)
def idle_input(seen: Observation) -> Iterator[Finding]:
    """What a model is given makes no difference to what it returns.

    It is called again, at a few steps, with an input that is the same in all rows: its outputs are the same, to the
    bit, although the rows differ. What the input says is lost on the way: by a rounding, a mask that hides all of it,
    a result that is not used. It is told also where, of an input that has many places, the outputs depend on a single
    one: the first of a sequence whose layers look back alone, say; and where an input is zero in all rows each time,
    beside whole numbers that are given for each row, differ, and are no targets. Where outputs are compared with
    targets, and differ from row to row by less than a fiftieth of what these do, after more than a hundred steps,
    nothing of the inputs reaches them. Outputs of eight numbers or more that differ by less than a quarter of their
    size after some sixty steps, and by more at first, have collapsed: a loss that asks for likeness alone is
    content. That is asked where the loss is given nothing but what the model takes, in several calls. Logits of eight
    classes or more that lie within 0.3 of one another for two hundred steps say as little: likenesses of vectors of
    length one, multiplied by a temperature in place of divided, cannot lie further apart. So do logits that differ
    by less than 0.02 from row to row after the first hundred steps, and do not come apart, where the targets are of
    several classes.

    Example: `t // steps` of whole numbers, which is 0 for all of them; `hidden[:, 0]` of a causal model.

    Use instead: `t / steps`; `hidden[:, -1]`.
    """
    for fact, at in [one for one in seen.facts(InputIdle) if one[0].looks]:
        message = f"{listed(fact.names)} makes no difference to what {fact.model} returns, at {fact.looks} looks"
        yield rule("MP312").at(message, at.file, at.line, looks=fact.looks)
    for fact, at in [one for one in seen.facts(InputZero) if one[0].looks]:
        message = f"{fact.input} is zero in all rows, at {fact.looks} looks, where {fact.model} is called: does it "
        message += f"come of {fact.beside}, which differs?"
        yield rule("MP312").at(message, at.file, at.line, looks=fact.looks)
    for fact, at in [one for one in seen.facts(OnePlace) if one[0].looks]:
        message = f"of the {fact.of} places of {fact.argument}, {fact.model} returns what place {fact.at} alone says "
        message += "(the first is 0)"
        yield rule("MP312").at(message, at.file, at.line, looks=fact.looks)
    for fact, at in [one for one in seen.facts(OutputsCollapsed) if one[0].looks]:
        message = f"what {fact.model} returns for rows that differ has become alike: it differs by {fact.now:.1%} of "
        message += f"its size, and by {fact.first:.0%} at first"
        yield rule("MP312").at(message, at.file, at.line, now=fact.now, first=fact.first)
    for fact, at in seen.facts(LogitsNarrow):
        message = f"the {fact.classes} logits of a row lie within {fact.width:.2g} of one another, at all {fact.looks} "
        message += f"looks, the last of them after update {fact.last} of {fact.updates}: no class can stand out there. "
        message += "Are they multiplied by what they are to be divided by, a temperature?"
        yield rule("MP312").at(message, at.file, at.line, width=fact.width, classes=fact.classes)
    shut = any(2 * one.count >= one.of for one, _ in seen.facts(ZeroGradient) if one.count)  # which says why
    for fact, at in seen.facts(LogitsAlike) if not shut else ():
        message = f"the logits of all rows are alike, at {fact.looks} looks, the last in the second half of the run: "
        message += f"they differ by {fact.spread:.2g} from row to row, and the targets are of several classes"
        yield rule("MP312").at(message, at.file, at.line, spread=fact.spread)
    for fact, at in [one for one in seen.facts(OutputsAlike) if one[0].looks]:
        message = f"what {fact.model} returns differs from row to row by {fact.deviation:.2g}, and the targets by "
        message += f"{fact.targets:.2g}: all inputs have the same answer"
        yield rule("MP312").at(message, at.file, at.line, deviation=fact.deviation, targets=fact.targets)
