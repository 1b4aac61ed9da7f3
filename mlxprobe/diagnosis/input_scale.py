"""Findings about the size of numbers: those that a model is used on, and those that it is to return."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import BytesWrapAround, OtherScale, StandardisedAlone
from mlxprobe.protocol.facts.losses import ScaleInverted, TargetsOutOfReach
from mlxprobe.rules.registry import finding, findings_from_facts, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

CENTRED, SHIFTED = 0.3, 2.0  # mean, in deviations
FAR, MANY = 10.0, 8  # deviations of the training's; numbers of a row
ENOUGH_LOOKS = 3
ENDS = {"sigmoid": "0 and 1", "softmax": "0 and 1", "tanh": "-1 and 1", "relu": "0 and infinity"}


@finding("MP311", "other-scale", Severity.NOTE)
def other_scale(seen: Observation) -> Iterator[Finding]:
    """A model is evaluated on numbers of another scale than it is trained on, or to return what it cannot.

    What it was taught about sizes does not hold there: the validation says little of the model, and nothing of its
    training. Told where the deviation of what the model is called with, outside of gradient calls, is more than four
    times that within them, or less than a quarter, each time. It is a note: noise that is larger, or another field of
    use, may be what is to be tested. Where their mean is near zero in training, and twice their deviation from it
    outside, or ten times that of the training, they are standardised there and not here: a warning. So it is where a
    squared or an absolute error holds targets against what a sigmoid, a softmax, a tanh or a ReLU returns, and each
    time more than a tenth of them lie where that never comes, and where rows that are not trained on are scaled by
    their own mean and deviation. An attention whose scores are multiplied by the root of their features is told too,
    and pixels that are centred while they are bytes.

    Example: `(x / 255 - mean) / deviation` for training, `x / 255` for validation;
    `mse_loss(mx.sigmoid(out), standardised)`; `scaled_dot_product_attention(q, k, v, scale=width**0.5)`;
    `(pixels - 128) / 128` of uint8.

    Use instead: one function that prepares the data of both; outputs without that activation, or targets within its
    ends; the mean and the deviation of the training data for both; `scale=width**-0.5`; `pixels.astype(mx.float32)`
    before anything is taken from them.
    """
    alone = {
        StandardisedAlone: "each column of what the model is given outside of gradient calls has a mean of 0 and a "
        "deviation of 1 by itself, at all {looks} looks, and no row of it is trained on: it has a scale of its own",
        BytesWrapAround: "{share:.0%} of these bytes are less than what is taken from them: there is nothing below "
        "0 in uint8, and the difference begins again at 255",
        ScaleInverted: "scores of {features} features are multiplied by their root, {scale:.4g}, and not divided: the "
        "attention's softmax takes nearly all of one place",
    }
    yield from findings_from_facts(seen, "MP311", alone, Severity.WARNING)
    for fact, at in seen.facts(OtherScale):
        message = f"outside of gradient calls the model is given numbers of {fact.m:.3g} ± {fact.d:.3g}, and within "
        message += f"them of {fact.mean:.3g} ± {fact.deviation:.3g}"
        far = abs(fact.m) > SHIFTED * fact.d or (abs(fact.m) > FAR * fact.deviation and fact.numbers >= MANY)
        severity = Severity.WARNING if abs(fact.mean) < CENTRED * fact.deviation and far else Severity.NOTE
        yield rule("MP311").at(message, at.file, at.line, severity=severity, looks=fact.looks)
    for fact, at in seen.facts(TargetsOutOfReach):
        low, high, share = fact.low, fact.high, fact.share
        if fact.out == fact.looks >= ENOUGH_LOOKS:
            message = f"outputs end in a {fact.kind}, between {ENDS[fact.kind]}, and at each of {fact.looks} looks "
            message += f"{share:.0%} or more of their targets lie beyond ({low:.3g} … {high:.3g} at the last)"
            message += seen_at(fact)
            evidence = {"share": share, "low": low, "high": high}
            yield rule("MP311").at(message, at.file, at.line, severity=Severity.WARNING, **evidence)
