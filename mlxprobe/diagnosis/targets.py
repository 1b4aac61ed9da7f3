"""Findings about what outputs are compared with: targets that are given, and those that leak."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.data import (
    IdOutOfRange,
    TargetGiven,
    TargetsAreInputs,
    TargetsFollowInputs,
    TargetsSkipOne,
)
from mlxprobe.protocol.facts.models import CausalityTested, StateCarriedOver
from mlxprobe.rules.registry import finding, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP303", "unshifted-labels", needs="ids")
def unshifted_labels(seen: Observation) -> Iterator[Finding]:
    """Next-token targets are the inputs themselves.

    A causal model that is to predict the token it has just been given learns to copy: the loss falls to zero, and it
    generates one token for ever. An error where a probe has shown that the model is causal; where it sees all of its
    input it may be an autoencoder, and this is a note. So is the shift that is made twice, by the data and by the loss:
    who leaves out the first output on purpose has the same targets. And so are numbers to be predicted that are, in all
    rows, one column of an input: the last value of a window, where the next is meant, or a measure that is not known
    when the model is used.

    Example: `cross_entropy(model(ids), ids)`; `x, y = s[i : i + 24], s[i + 23]`.

    Use instead: `cross_entropy(model(ids[:, :-1]), ids[:, 1:])`.
    """
    leaks = next((fact.leaks for fact, _ in seen.every(CausalityTested)), None)
    for fact, at in seen.facts(TargetsAreInputs):
        severity = Severity.NOTE
        if leaks is None and fact.causal:
            severity = Severity.WARNING
        elif leaks is False:
            severity = Severity.ERROR
        which = "ids before the embedded ones" if fact.before else "embedded ids themselves"
        message = f"the targets of the loss are the {which}, not those that follow{seen_at(fact)}"
        yield rule("MP303").at(message, at.file, at.line, severity=severity)
    for fact, at in [one for one in seen.facts(TargetGiven) if one[0].looks]:
        message = (
            f"{fact.target} is column {fact.at} of {fact.input}, in all rows at each of {fact.looks} looks: what is to "
            f"be predicted is given{seen_at(fact)}"
        )
        told = rule("MP303").at(message, at.file, at.line, severity=Severity.NOTE)
        yield replace(
            told, instead="inputs without that column; `x, y = s[i : i + 24], s[i + 24]` for what comes next."
        )
    for _, at in () if seen.has(TargetsFollowInputs) else seen.facts(TargetsSkipOne):
        message = (
            "the targets of the loss are not the ids that follow the embedded ones, but those after these: are they "
        )
        message += "shifted twice?"
        yield rule("MP303").at(message, at.file, at.line, severity=Severity.NOTE)


@finding("MP307", "future-leak", needs="next tokens")
def future_leak(seen: Observation) -> Iterator[Finding]:
    """A next-token model's output depends on inputs that come later.

    Its targets are the ids that follow, so that it is given what it is to predict: the loss falls fast and far, and
    nothing is learned that serves in generation. Seen by a probe: with one id of a row changed, earlier outputs
    change. Where an id is beyond its table that proves nothing: what lies there is other memory at each call.

    What a model keeps of one batch may reach the next: the same rows twice then give other outputs. That is a note, for
    a recurrent state may be carried on purpose; a cache of keys and values is not meant to be, in training.

    Example: attention without a causal mask; a padding mask handed over as the attention mask, in the causal one's
    place; a convolution over time that is padded on both sides.

    Use instead: `mask="causal"`, or the causal mask and the padding mask added up; for a convolution `padding=0`, and
    `mx.pad(x, [(0, 0), (dilation * (kernel - 1), 0), (0, 0)])` before it, on the left alone.
    """
    if seen.has(IdOutOfRange):
        return
    for fact, at in seen.facts(StateCarriedOver):
        message = f"{fact.model}: the same rows twice give other outputs, since it keeps something between calls"
        yield rule("MP307").at(message, at.file, at.line, severity=Severity.NOTE)
    for leak, decided in [one for one in seen.every(CausalityTested) if one[0].leaks][:1]:
        message = f"{leak.model}: outputs change with an id that comes after them, and the targets are the ids that "
        message += f"follow{seen_at(leak)}"
        for _, at in seen.facts(TargetsFollowInputs):
            place = decided if leak.seen else at
            yield rule("MP307").at(message, place.file, place.line)
