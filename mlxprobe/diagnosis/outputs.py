"""Findings about what a model's outputs depend on."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.registry import facts, finding, listed, rule
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity


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
    for fact in [one for one in facts(seen, "input idle") if one.detail["looks"]]:
        names = listed(fact.detail["names"])
        message = f"{names} makes no difference to what {fact.detail['model']} returns, at {fact.detail['looks']} looks"
        yield rule("MP312").at(message, fact.file, fact.line, looks=float(str(fact.detail["looks"])))
    for fact in [one for one in facts(seen, "input zero") if one.detail["looks"]]:
        message = f"{fact.detail['input']} is zero in all rows, at {fact.detail['looks']} looks, where "
        message += f"{fact.detail['model']} is called: does it come of {fact.detail['beside']}, which differs?"
        yield rule("MP312").at(message, fact.file, fact.line, looks=float(str(fact.detail["looks"])))
    for fact in [one for one in facts(seen, "one place") if one.detail["looks"]]:
        message = f"of the {fact.detail['of']} places of {fact.detail['argument']}, "
        message += f"{fact.detail['model']} returns what place {fact.detail['at']} alone says (the first is 0)"
        yield rule("MP312").at(message, fact.file, fact.line, looks=float(str(fact.detail["looks"])))
    for fact in [one for one in facts(seen, "outputs one") if one.detail["looks"]]:
        now, first = (float(str(fact.detail[name])) for name in ("now", "first"))
        message = f"what {fact.detail['model']} returns for rows that differ has become alike: it differs by "
        message += f"{now:.1%} of its size, and by {first:.0%} at first"
        yield rule("MP312").at(message, fact.file, fact.line, now=now, first=first)
    for fact in facts(seen, "logits narrow"):
        width, classes = (float(str(fact.detail[name])) for name in ("width", "classes"))
        message = f"the {classes:.0f} logits of a row lie within {width:.2g} of one another, at all "
        message += f"{fact.detail['looks']} looks in {fact.detail['updates']} updates: no class can stand out. Are "
        message += "they multiplied by what they are to be divided by, a temperature?"
        yield rule("MP312").at(message, fact.file, fact.line, width=width, classes=classes)
    zero = [fact.detail for fact in facts(seen, "zero gradient") if fact.detail["count"]]
    shut = any(2 * float(str(one["count"])) >= float(str(one["of"])) for one in zero)  # which says why
    for fact in facts(seen, "logits alike") if not shut else ():
        spread = float(str(fact.detail["spread"]))
        message = f"the logits of all rows are alike, at {fact.detail['looks']} looks up to the end: they differ by "
        message += f"{spread:.2g} from row to row, and the targets are of several classes"
        yield rule("MP312").at(message, fact.file, fact.line, spread=spread)
    for fact in [one for one in facts(seen, "outputs alike") if one.detail["looks"]]:
        mine, theirs = (float(str(fact.detail[name])) for name in ("deviation", "targets"))
        message = f"what {fact.detail['model']} returns differs from row to row by {mine:.2g}, and the targets by "
        message += f"{theirs:.2g}: all inputs have the same answer"
        yield rule("MP312").at(message, fact.file, fact.line, deviation=mine, targets=theirs)
