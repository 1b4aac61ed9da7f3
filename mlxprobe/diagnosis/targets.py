"""Findings about what outputs are compared with: targets that are given, and those that leak."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.registry import facts, finding, rule, seen_at
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity


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
    leaks = next((fact.detail["leaks"] for fact in seen.facts if fact.name == "causality"), None)
    for fact in facts(seen, "targets are inputs"):
        severity = Severity.NOTE
        if leaks is None and fact.detail["causal"]:
            severity = Severity.WARNING
        elif leaks is False:
            severity = Severity.ERROR
        which = "ids before the embedded ones" if fact.detail.get("before") else "embedded ids themselves"
        message = f"the targets of the loss are the {which}, not those that follow{seen_at(fact)}"
        yield rule("MP303").at(message, fact.file, fact.line, severity=severity)
    for fact in [one for one in facts(seen, "target given") if one.detail["looks"]]:
        message = (
            f"{fact.detail['target']} is column {fact.detail['at']} of {fact.detail['input']}, in all rows at each of "
            f"{fact.detail['looks']} looks: what is to be predicted is given{seen_at(fact)}"
        )
        told = rule("MP303").at(message, fact.file, fact.line, severity=Severity.NOTE)
        yield replace(
            told, instead="inputs without that column; `x, y = s[i : i + 24], s[i + 24]` for what comes next."
        )
    for fact in [] if any(facts(seen, "targets follow inputs")) else facts(seen, "targets skip one"):
        message = (
            "the targets of the loss are not the ids that follow the embedded ones, but those after these: are they "
        )
        message += "shifted twice?"
        yield rule("MP303").at(message, fact.file, fact.line, severity=Severity.NOTE)


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
    if any(facts(seen, "id out of range")):
        return
    for fact in facts(seen, "carried over"):
        message = (
            f"{fact.detail['model']}: the same rows twice give other outputs, since it keeps something between calls"
        )
        yield rule("MP307").at(message, fact.file, fact.line, severity=Severity.NOTE)
    leak = next((fact for fact in seen.facts if fact.name == "causality" and fact.detail["leaks"]), None)
    for fact in facts(seen, "targets follow inputs"):
        if leak is None:
            return
        message = (
            f"{leak.detail['model']}: outputs change with an id that comes after them, and the targets are the ids"
        )
        place = leak if leak.detail.get("seen") else fact
        yield rule("MP307").at(f"{message} that follow{seen_at(leak)}", place.file, place.line)
