"""Findings about what the loss is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.misgiven import misgiven
from mlxprobe.diagnosis.registry import facts, finding, listed, rule, seen_at
from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

NEARLY_ALL, SAME, VARIES = 0.95, 0.02, 0.05  # of the positions
STABLE = {"stable": "with its maximum subtracted", "of a softmax": "by the logarithm of a softmax, which underflows"}
SIMPLE = 8  # a loss that is scaled by a half, a third … weighs as if it were divided by all
ENOUGH_LOOKS, MANY = 2, 3
ENOUGH_TAILS, MUCH_PADDING = 3, 0.05
ENOUGH_CLASSES, SOME = 6, 0.95  # looks; of the positions
SEVERAL, MANY_TARGETS = 3, 1000  # classes, and targets of one value: of two, one may be rare

NO_LABEL = (
    "it where the loss needs it: a mask or a weight times the loss of each row or position, "
    "`rewards + gamma * (1 - done) * following` for a flag of what has ended, a length to choose the last position, "
    "what was rejected in the term that sets it against what was chosen. What is left out on purpose can stay so."
)
LABELS = re.compile(r"label|target|truth|answer|gold|(^|[._])y(s|_?true|b|_?batch)?$|_y$", re.IGNORECASE)
NEEDED = re.compile(  # whoever gives a loss these means them to count
    r"(terminal|done|terminated)s?|((attention|loss|pad|padding)_?)?masks?|((class|loss|sample)_?)?weights"
    r"|adv(antage)?s?|rejected|returns",
    re.IGNORECASE,
)


@finding("MP301", "label-free-loss", needs="loss graph")
def label_free_loss(seen: Observation) -> Iterator[Finding]:
    """The labels do not reach the loss.

    The loss function takes them and leaves them out, so that the loss settles at a value that knows nothing of the
    task. An argument that is no label, and takes no part, is a note; a warning where its name says what it is to do, as
    those of masks, advantages and ends of episodes do. Where it compares its inputs with themselves, as an
    autoencoder's does, that is a note. A policy's loss that picks the likeliest choice, and leaves out the ids of those
    that were made, is told as well.

    Example: `loss = -mx.mean(log_softmax(logits))`.

    Use instead: a loss of what is to be learned, such as `nn.losses.cross_entropy(logits, labels, reduction="mean")`;
    what takes no part on purpose can stay as it is.
    """
    named = False
    for fact in facts(seen, "argument unreached"):
        told, read = (_list(fact.detail.get(key)) for key in ("names", "read"))
        names = [name for name in told if name not in read]
        labels = [name for name in names if LABELS.search(name)]
        if read:
            message = f"{summed_up(read)} takes no part in the loss, but for what Python makes of its numbers"
            one = rule("MP301").at(message + seen_at(fact), fact.file, fact.line, severity=Severity.NOTE)
            yield one if any(map(LABELS.search, read)) else replace(one, instead=NO_LABEL)
        if not names:
            continue  # what was told has reached a later loss
        if labels:
            severity = Severity.NOTE if fact.detail.get("itself") else Severity.ERROR
            message, named = f"{listed(labels)} takes no part in the loss{seen_at(fact)}", True
            yield rule("MP301").at(message, fact.file, fact.line, severity=severity)
        else:
            reached = fact.detail["reached"]
            pair = len(names) == len(_list(reached)) == 1  # inputs, and what else but labels
            message = f"the argument {summed_up(names)} takes no part in the loss{seen_at(fact)}"
            greedy = [name for name in _list(fact.detail.get("greedy")) if name in names]
            if greedy:
                message += f"; it picks log-probabilities at their own largest, and not at {listed(greedy)}"
            needed = any(map(NEEDED.fullmatch, names))
            severity = Severity.WARNING if pair or greedy or needed else Severity.NOTE
            one = rule("MP301").at(message, fact.file, fact.line, severity=severity)
            yield one if pair or greedy else replace(one, instead=NO_LABEL)
    for fact in facts(seen, "no labels") if not named else ():
        message = "the loss is one of log-probabilities, and its ids choose embedding rows alone: no label picks any"
        yield rule("MP301").at(message + seen_at(fact), fact.file, fact.line, severity=Severity.WARNING)


def summed_up(names: list[str]) -> str:
    """Put the names of arguments in a row, those of one container in a word."""
    held: dict[str, list[str]] = {}
    for name in names:
        held.setdefault(name.partition(".")[0], []).append(name)
    return ", ".join(f"{one} ({len(its)} arrays)" if len(its) > MANY else listed(its) for one, its in held.items())


@finding("MP302", "hand-written-log-softmax", Severity.WARNING, needs="loss graph")
def hand_written_log_softmax(seen: Observation) -> Iterator[Finding]:
    """A log-softmax is built by hand, or taken of what is a softmax already; or a loss is given what it does not take.

    Without the maximum subtracted, exp overflows above 88 in float32 and the loss is infinite or NaN; the logarithm of
    a softmax underflows to minus infinity. Where the maximum is subtracted, this is a note: it is right, and slower.
    A loss of logits that is given probabilities squashes them a second time: it never comes near zero, and its
    gradients are small. `mx.random.categorical` takes logits too: given probabilities, its choices are nearly even.
    MLX's `kl_div_loss` and `nll_loss` take logarithms on both sides, where other frameworks take probabilities as
    targets. By the numbers of their arguments are told: logits for these two, rows of targets for `cross_entropy` that
    do not sum to 1, targets of `binary_cross_entropy` far from 0 to 1, variances below zero, targets of 0 and 1 where
    -1 and 1 are wanted, and a loss that is nothing but `cosine_similarity_loss`, which is least for opposites.

    Example: `mx.log(mx.sum(mx.exp(logits), axis=-1))`, `mx.log(mx.softmax(logits, axis=-1))`;
    `cross_entropy(mx.softmax(logits), labels)`; `kl_div_loss(nn.log_softmax(student), mx.softmax(teacher))`;
    `mx.random.categorical(mx.softmax(logits))`; `nll_loss(logits, labels)`.

    Use instead: `nn.losses.cross_entropy(logits, labels)`, or `logits - mx.logsumexp(logits, axis=-1, keepdims=True)`.
    """
    for fact in facts(seen, "hand-written log-softmax"):
        kind = str(fact.detail["kind"])
        severity = Severity.NOTE if kind in STABLE else Severity.WARNING
        how = STABLE.get(kind, f"by hand, {kind}: it overflows or underflows")
        yield rule("MP302").at(f"the loss takes a log-softmax {how}", fact.file, fact.line, severity=severity)

    for fact in facts(seen, "probabilities"):
        message = "the loss takes logarithms of probabilities, and is given what a softmax returns"
        yield rule("MP302").at(message, fact.file, fact.line)

    for fact in facts(seen, "chosen by probabilities"):
        message = "mx.random.categorical wants logits, and is given probabilities: its choices are nearly even; give it"
        yield rule("MP302").at(f"{message} mx.log(probabilities), or the logits", fact.file, fact.line)

    for fact in facts(seen, "squashed twice"):
        message = f"the loss is one of logits, and is given what is a {fact.detail['kind']} already{seen_at(fact)}"
        yield rule("MP302").at(message, fact.file, fact.line)
    yield from misgiven(seen)


@finding("MP308", "loss-share", Severity.NOTE)
def loss_share(seen: Observation) -> Iterator[Finding]:
    """A masked loss is divided by all positions, or padding carries loss.

    Divided by all, the same text weighs less the more padding stands beside it, and the rate falls with the share that
    carries loss. Padding that carries loss is what the model learns first, and what its loss then mostly tells of. Seen
    by the gradient of the loss by each position's own; the sheet tells which share of them carries any. Where padding
    alone carries loss, and no other position ever does, the mask is the wrong way round: that is a warning. So it is
    where what carries loss is all of one class, and what does not is of several. Where all targets of a model have one
    value, and its last bias is always pushed towards that, a constant is what is learned: a warning where the targets
    are filled with that value in the loss, or are a thousand classes of several, or a thousand ones. So it is where the
    targets of a squared error are whole numbers by their type, and hundreds of them are one.

    Example: `(cross_entropy(logits, targets) * mask).mean()`; `cross_entropy(logits, targets, reduction="mean")` over
    padded rows; `bce(d(real), ones) + bce(d(fake), ones)`.

    Use instead: `(cross_entropy(logits, targets) * mask).sum() / mask.sum()`; zeros as the targets of fakes.
    """
    yield from _one_outcome(seen)
    supervised = [one.detail["supervised"] for one in seen.facts if one.name == "supervision"]
    labelled = all(supervised)  # rewards may be one act's
    for fact in facts(seen, "loss share"):
        share = float(str(fact.detail["carrying"])) / float(str(fact.detail["positions"]))
        if _divided_by_all(fact, round(seen.sheet.gradients / max(1, seen.sheet.updates))):
            message = f"the loss is divided by all positions, and {share:.0%} of them carry it"
            yield rule("MP308").at(message, fact.file, fact.line, share=share)
        yield from _wrong_ones(fact, share, labelled=labelled)


def _wrong_ones(fact: Fact, share: float, *, labelled: bool) -> Iterator[Finding]:
    """Tell of positions that are not meant to carry loss: padding, or what a mask is to leave out."""
    padding, trained, read = (float(str(fact.detail[name])) for name in ("padding", "trained", "read"))
    tails = float(str(fact.detail["tails"]))
    padded, looks = (float(str(fact.detail.get(name, 0))) for name in ("padded", "looks"))
    if padded == looks >= ENOUGH_TAILS:
        message = f"padding alone carries loss: the id {fact.detail['id']} at the end of a row, and no position before"
        message += " it; is the mask the wrong way round?"
        yield rule("MP308").at(message, fact.file, fact.line, severity=Severity.WARNING, looks=looks)
    elif fact.detail.get("alone", 0) == looks >= ENOUGH_CLASSES and share < SOME:
        message = f"targets of one class alone carry loss, {share:.0%} of all, at each of {looks:.0f} looks, and the "
        message += "others are of several: is the mask the wrong way round?"
        severity = Severity.WARNING if labelled or not fact.detail.get("amounts", True) else Severity.NOTE
        yield rule("MP308").at(message, fact.file, fact.line, severity=severity, looks=looks, share=share)
    elif trained == padding > MUCH_PADDING * read and tails >= ENOUGH_TAILS:
        message = f"padding carries loss: {padding / read:.0%} of the targets are the id {fact.detail['id']} again"
        yield rule("MP308").at(f"{message} at the end of a row", fact.file, fact.line, padding=padding / read)


def _one_outcome(seen: Observation) -> Iterator[Finding]:
    """Tell of a model whose targets are all of one value."""
    for fact in [one for one in facts(seen, "one outcome") if one.detail["looks"]]:
        value, read, classes = (float(str(fact.detail[name])) for name in ("value", "read", "classes"))
        message = f"all {read:.0f} targets that were read, at {fact.detail['looks']} looks, are {value:g}: a constant "
        message += "answers them all"
        common = classes >= SEVERAL or value == 1  # of two the rare one is counted from zero, as a rule
        proved = fact.detail["filled"] or (common and read >= MANY_TARGETS)
        severity = Severity.WARNING if proved else Severity.NOTE
        yield rule("MP308").at(message, fact.file, fact.line, severity=severity, read=read)
    for fact in facts(seen, "constant level"):
        level, read = float(str(fact.detail["level"])), float(str(fact.detail["read"]))
        if fact.detail.get("whole") and fact.detail["kind"] == "square" and level == 0 and read >= MANY_TARGETS / 2:
            message = f"all {read:.0f} targets that were read are one whole number, and the loss is a squared error: a "
            message += "constant answers them all. Were their fractions cut off?"
            yield rule("MP308").at(message, fact.file, fact.line, severity=Severity.WARNING, read=read)


@finding("MP310", "reversed-sign", Severity.WARNING)
def reversed_sign(seen: Observation) -> Iterator[Finding]:
    """A policy's loss makes less likely what turned out well.

    What the loss is multiplied by says how good each choice was, and the gradient by the likelihood of that choice has
    the same sign: the update takes from good choices and gives to bad ones. The loss falls all the same, without end.
    Seen at every look, in an argument that is called an advantage, a return, a reward or a score.

    Example: `loss = mx.mean(log_prob * advantages)`.

    Use instead: `loss = -mx.mean(log_prob * advantages)`.
    """
    for fact in facts(seen, "worth"):
        looks, worse = (float(str(fact.detail[name])) for name in ("looks", "worse"))
        if worse == looks >= ENOUGH_TAILS:
            message = f"what has high {fact.detail['argument']} is made less likely, at each of {looks:.0f} looks"
            yield rule("MP310").at(message, fact.file, fact.line, looks=looks)


def _divided_by_all(fact: Fact, calls: int) -> bool:
    """Tell whether what carries loss weighs as in a mean of all, or of all that the `calls` of an update have.

    Where the share is always the same, such a weight can be that of a mean of these which is scaled.
    """
    shares, scales = ([float(one) for one in _list(fact.detail[name])] for name in ("shares", "scales"))
    varies = max(shares) - min(shares) > VARIES
    scaled = any(abs(k * max(shares) - 1) < 2 * SAME for k in range(1, SIMPLE + 1))
    of_all = any(all(abs(k * one - 1) < SAME for one in scales) for k in {1, calls})
    looks = float(str(fact.detail["looks"]))
    return of_all and looks >= ENOUGH_LOOKS and max(shares) < NEARLY_ALL and (varies or not scaled)


def _list(value: object) -> list[str]:
    return value if isinstance(value, list) else []
