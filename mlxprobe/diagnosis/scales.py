"""Findings about the size of numbers: those that a model is used on, and those that it is to return."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.registry import each, facts, finding, rule, seen_at
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

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
        "standardised alone": "each column of what the model is given outside of gradient calls has a mean of 0 and a "
        "deviation of 1 by itself, at all {looks} looks, and no row of it is trained on: it has a scale of its own",
        "bytes begin again": "{share:.0%} of these bytes are less than what is taken from them: there is nothing below "
        "0 in uint8, and the difference begins again at 255",
        "scale turned": "scores of {features} features are multiplied by their root, {scale:.4g}, and not divided: the "
        "attention's softmax takes nearly all of one place",
    }
    yield from each(seen, "MP311", alone, Severity.WARNING)
    for fact in facts(seen, "other scale"):
        mean, deviation, m, d = (float(str(fact.detail[name])) for name in ("mean", "deviation", "m", "d"))
        message = f"outside of gradient calls the model is given numbers of {m:.3g} ± {d:.3g}, and within them of "
        message += f"{mean:.3g} ± {deviation:.3g}"
        far = abs(m) > SHIFTED * d or (abs(m) > FAR * deviation and float(str(fact.detail["numbers"])) >= MANY)
        severity = Severity.WARNING if abs(mean) < CENTRED * deviation and far else Severity.NOTE
        evidence = {"looks": float(str(fact.detail["looks"]))}
        yield rule("MP311").at(message, fact.file, fact.line, severity=severity, **evidence)
    for fact in facts(seen, "targets beyond"):
        looks, out, share, low, high = (
            float(str(fact.detail[name])) for name in ("looks", "out", "share", "low", "high")
        )
        if out == looks >= ENOUGH_LOOKS:
            kind = str(fact.detail["kind"])
            message = f"outputs end in a {kind}, between {ENDS[kind]}, and at each of {looks:.0f} looks {share:.0%} or "
            message += f"more of their targets lie beyond ({low:.3g} … {high:.3g} at the last){seen_at(fact)}"
            evidence = {"share": share, "low": low, "high": high}
            yield rule("MP311").at(message, fact.file, fact.line, severity=Severity.WARNING, **evidence)
