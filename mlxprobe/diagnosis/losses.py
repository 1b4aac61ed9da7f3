"""Findings about what the loss is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mlxprobe.protocol.facts.data import ConstantLevel
from mlxprobe.protocol.facts.losses import (
    ArgumentUnused,
    ChosenByProbabilities,
    HandWrittenLogSoftmax,
    LossShare,
    NoLabels,
    OneOutcome,
    ProbabilitiesGiven,
    SquashedTwice,
    Supervision,
    Worth,
    WronglyGiven,
)
from mlxprobe.rules.registry import finding, listed, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation, Sighting
from mlxprobe.schema.record import Finding

GIVEN = {
    "no shares": "nn.losses.cross_entropy takes one true class for each row, or rows that sum to 1: {share:.0%} of "
    "these rows do not, and sum to {sum:.3g} on average. Are several classes true at once?",
    "rectified": "nn.losses.{loss} takes logits, and none of these is below 0, {share:.0%} of them exactly 0: behind a "
    "ReLU a class cannot be made unlikely, and what is 0 has no gradient",
    "smoothed": "label_smoothing={smoothing:g} leaves the right class {right:.2g} of its target, and gives {wrong:.2g} "
    "to each other: hardly anything is left to learn",
    "beyond": "nn.losses.binary_cross_entropy takes targets from 0 to 1, and these go from {low:.3g} to {high:.3g}: "
    "such a loss falls without bound",
    "no logarithms": "nn.losses.{loss} takes log-probabilities, and its {argument} are none: the exponentials of a row "
    "sum to e^{sum:.3g}, and not to 1. Are they logits?",
    "of a layer": "nn.losses.{loss} takes log-probabilities, and is given logits: what a layer returns as it is",
    "no variances": "nn.losses.gaussian_nll_loss takes variances, and {share:.0%} of these are below 0: it takes 1e-6 "
    "in their place. Are they logarithms, or what a layer returns as it is?",
    "no signs": "nn.losses.{loss} takes targets of -1 and 1, and these are 0 and 1: rows of 0 have no gradient",
    "similarity": "nn.losses.cosine_similarity_loss returns the similarity itself, and the loss is nothing else: it is "
    "least where the two point away from each other",
}
LOGARITHMS = "`nn.log_softmax(logits, axis=-1)` before this loss, or `cross_entropy(logits, labels)`."
INSTEAD = {
    "no shares": "`nn.losses.binary_cross_entropy(logits, targets)`, where several classes may be true at once; else "
    "`targets / targets.sum(axis=-1, keepdims=True)`.",
    "rectified": "what the last layer returns, as it is: no activation after it.",
    "smoothed": "`label_smoothing=0.1`: the part that is taken from the right class.",
    "beyond": "targets of 0 and 1: `(labels + 1) / 2` for labels of -1 and 1, `pixels / 255` for bytes; a squared "
    "error, where the targets are no probabilities.",
    "no logarithms": LOGARITHMS,
    "of a layer": LOGARITHMS,
    "no variances": "`mx.exp(log_variance)` or `nn.softplus(raw)` as the variances.",
    "no signs": "`2 * labels - 1` as the targets.",
    "similarity": "`1 - nn.losses.cosine_similarity_loss(...)`, of which the least is where the two are alike.",
}
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

BOTH_VALUES = "targets of several values: zeros for fakes where ones are for real examples; the labels of the data."


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
    for fact, at in seen.facts(ArgumentUnused):
        names = [name for name in fact.names if name not in fact.read]
        labels = [name for name in names if LABELS.search(name)]
        if fact.read:
            message = f"{summed_up(fact.read)} reaches the loss only through values read into Python, not through MLX"
            one = rule("MP301").at(message + seen_at(fact), at.file, at.line, severity=Severity.NOTE)
            yield one if any(map(LABELS.search, fact.read)) else replace(one, instead=NO_LABEL)
        if not names:
            continue  # what was told has reached a later loss
        if labels:
            severity = Severity.NOTE if fact.itself else Severity.ERROR
            message, named = f"{listed(labels)} takes no part in the loss{seen_at(fact)}", True
            yield rule("MP301").at(message, at.file, at.line, severity=severity)
        else:
            pair = len(names) == len(fact.reached) == 1  # inputs, and what else but labels
            message = f"the argument {summed_up(names)} takes no part in the loss{seen_at(fact)}"
            greedy = [name for name in fact.greedy if name in names]
            if greedy:
                message += f"; it picks log-probabilities at their own largest, and not at {listed(greedy)}"
            needed = any(map(NEEDED.fullmatch, names))
            severity = Severity.WARNING if pair or greedy or needed else Severity.NOTE
            one = rule("MP301").at(message, at.file, at.line, severity=severity)
            yield one if pair or greedy else replace(one, instead=NO_LABEL)
    for fact, at in seen.facts(NoLabels) if not named else ():
        message = "the loss is one of log-probabilities, and its ids choose embedding rows alone: no label picks any"
        yield rule("MP301").at(message + seen_at(fact), at.file, at.line, severity=Severity.WARNING)


def summed_up(names: Sequence[str]) -> str:
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
    for fact, at in seen.facts(HandWrittenLogSoftmax):
        severity = Severity.NOTE if fact.kind in STABLE else Severity.WARNING
        how = STABLE.get(fact.kind, f"by hand, {fact.kind}: it overflows or underflows")
        yield rule("MP302").at(f"the loss takes a log-softmax {how}", at.file, at.line, severity=severity)

    for _, at in seen.facts(ProbabilitiesGiven):
        message = "the loss takes logarithms of probabilities, and is given what a softmax returns"
        yield rule("MP302").at(message, at.file, at.line)

    for _, at in seen.facts(ChosenByProbabilities):
        message = "mx.random.categorical wants logits, and is given probabilities: its choices are nearly even; give it"
        yield rule("MP302").at(f"{message} mx.log(probabilities), or the logits", at.file, at.line)

    for fact, at in seen.facts(SquashedTwice):
        message = f"the loss is one of logits, and is given what is a {fact.kind} already{seen_at(fact)}"
        yield rule("MP302").at(message, at.file, at.line)
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

    Use instead: `(cross_entropy(logits, targets) * mask).sum() / mask.sum()`.
    """
    yield from _one_outcome(seen)
    labelled = all(one.supervised for one, _ in seen.every(Supervision))  # rewards may be one act's
    for fact, at in seen.facts(LossShare):
        share = fact.carrying / fact.positions
        if _divided_by_all(fact, round(seen.sheet.gradients / max(1, seen.sheet.updates))):
            message = f"the loss is divided by all positions, and {share:.0%} of them carry it"
            yield rule("MP308").at(message, at.file, at.line, share=share)
        yield from _wrong_ones(fact, at, share, labelled=labelled)


def _wrong_ones(fact: LossShare, at: Sighting[LossShare], share: float, *, labelled: bool) -> Iterator[Finding]:
    """Tell of positions that are not meant to carry loss: padding, or what a mask is to leave out."""
    looks = fact.looks
    if fact.padded == looks >= ENOUGH_TAILS:
        message = f"padding alone carries loss: the id {fact.id} at the end of a row, and no position before"
        message += " it; is the mask the wrong way round?"
        yield rule("MP308").at(message, at.file, at.line, severity=Severity.WARNING, looks=looks)
    elif fact.alone == looks >= ENOUGH_CLASSES and share < SOME:
        message = f"targets of one class alone carry loss, {share:.0%} of all, at each of {looks} looks, and the "
        message += "others are of several: is the mask the wrong way round?"
        severity = Severity.WARNING if labelled or not fact.amounts else Severity.NOTE
        yield rule("MP308").at(message, at.file, at.line, severity=severity, looks=looks, share=share)
    elif fact.trained == fact.padding > MUCH_PADDING * fact.read and fact.tails >= ENOUGH_TAILS:
        padding = fact.padding / fact.read
        message = f"padding carries loss: {padding:.0%} of the targets are the id {fact.id} again at the end of a row"
        yield rule("MP308").at(message, at.file, at.line, padding=padding)


def _one_outcome(seen: Observation) -> Iterator[Finding]:
    """Tell of a model whose targets are all of one value."""
    for fact, at in [one for one in seen.facts(OneOutcome) if one[0].looks]:
        message = f"all {fact.read} targets that were read, at {fact.looks} looks, are {fact.value:g}: a constant "
        message += "answers them all"
        common = fact.classes >= SEVERAL or fact.value == 1  # of two the rare one is counted from zero, as a rule
        proved = fact.filled or (common and fact.read >= MANY_TARGETS)
        severity = Severity.WARNING if proved else Severity.NOTE
        found = rule("MP308").at(message, at.file, at.line, severity=severity, read=fact.read)
        yield replace(found, instead=BOTH_VALUES)
    for fact, at in seen.facts(ConstantLevel):
        if fact.whole and fact.kind == "square" and fact.level == 0 and fact.read >= MANY_TARGETS / 2:
            message = f"all {fact.read} targets that were read are one whole number, and the loss is a squared error: "
            message += "a constant answers them all. Were their fractions cut off?"
            found = rule("MP308").at(message, at.file, at.line, severity=Severity.WARNING, read=fact.read)
            yield replace(found, instead="targets as floating-point numbers: `y.astype(np.float32)`.")


@finding("MP310", "reversed-sign", Severity.WARNING)
def reversed_sign(seen: Observation) -> Iterator[Finding]:
    """A policy's loss makes less likely what turned out well.

    What the loss is multiplied by says how good each choice was, and the gradient by the likelihood of that choice has
    the same sign: the update takes from good choices and gives to bad ones. The loss falls all the same, without end.
    Seen at every look, in an argument that is called an advantage, a return, a reward or a score.

    Example: `loss = mx.mean(log_prob * advantages)`.

    Use instead: `loss = -mx.mean(log_prob * advantages)`.
    """
    for fact, at in seen.facts(Worth):
        if fact.worse == fact.looks >= ENOUGH_TAILS:
            message = f"what has high {fact.argument} is made less likely, at each of {fact.looks} looks"
            yield rule("MP310").at(message, at.file, at.line, looks=fact.looks)


def _divided_by_all(fact: LossShare, calls: int) -> bool:
    """Tell whether what carries loss weighs as in a mean of all, or of all that the `calls` of an update have.

    Where the share is always the same, such a weight can be that of a mean of these which is scaled.
    """
    most = max(fact.shares)
    varies = most - min(fact.shares) > VARIES
    scaled = any(abs(k * most - 1) < 2 * SAME for k in range(1, SIMPLE + 1))
    of_all = any(all(abs(k * one - 1) < SAME for one in fact.scales) for k in {1, calls})
    return of_all and fact.looks >= ENOUGH_LOOKS and most < NEARLY_ALL and (varies or not scaled)


def misgiven(seen: Observation) -> Iterator[Finding]:
    """Tell of losses that are given numbers which they do not take."""
    for fact, at in seen.facts(WronglyGiven):
        told = rule("MP302").at(GIVEN[fact.kind].format(**fact.as_dict()), at.file, at.line, misgiven=1.0)
        yield replace(told, instead=INSTEAD[fact.kind])
