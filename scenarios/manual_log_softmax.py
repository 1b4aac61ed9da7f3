"""A log-softmax is written by hand in place of the built-in cross-entropy.

Symptom: the loss settles at exactly ln(vocabulary) and the model learns nothing; or it is infinite at the first
    step and NaN from then on.
Cause: the mean of all log-probabilities has no label in it, and its minimum is the uniform distribution. Where the
    maximum is not subtracted, float32 overflows from exp(89).
Fix: `nn.losses.cross_entropy(logits, labels, reduction="mean")`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _qlora_float64 import adamw, train_in_float64
from _qlora_llama import Training, true_loss
from _tiny_llama import batch

from mlxprobe import Outcome, Scenario

STEPS = 40
OFFSET = 100.0  # common to all logits: a softmax ignores it, exp does not
FOUND = ["MP301", "MP302"]

probe = Scenario(documents=["004_5bdaaef4cda6c98e.txt"], tolerance=1e-3)
probe.score(true_loss)


def train(loss_of):
    training = Training(optim.AdamW(1e-2), lambda model, x: loss_of(model(x)[:, :-1] + OFFSET, x[:, 1:]))
    for step in range(STEPS):
        training.update(training.accumulate(None, batch(step)[0]))
    return training.model.trainable_parameters()


@probe.correct
def built_in_cross_entropy():
    """Take MLX's own cross-entropy."""
    return train(lambda logits, labels: nn.losses.cross_entropy(logits, labels, reduction="mean"))


@probe.broken(claims=Outcome.HANG, says="It freezes at step 0.", expects=Outcome.NO_LEARNING, finds=FOUND)
def labels_left_out():
    """Average all log-probabilities, as the document's broken loss does to the letter."""

    def loss_of(shift_logits, labels):
        max_logits = mx.max(shift_logits, axis=-1, keepdims=True)
        numerator = shift_logits - max_logits
        denominator = mx.log(mx.sum(mx.exp(numerator), axis=-1, keepdims=True))
        log_probs = numerator - denominator
        return -mx.mean(log_probs)

    return train(loss_of)


@probe.broken(expects=Outcome.NAN, finds=["MP207", "MP302"])
def maximum_not_subtracted():
    """Take the logarithm of a sum of exponentials of large logits."""

    def loss_of(logits, labels):
        log_probs = logits - mx.log(mx.sum(mx.exp(logits), axis=-1, keepdims=True))
        return -mx.mean(mx.take_along_axis(log_probs, labels[..., None], axis=-1))

    return train(loss_of)


@probe.mitigation(claims=Outcome.NAN, says="A log-softmax written by hand is unstable and can turn to NaN.")
def maximum_subtracted():
    """Subtract the maximum and pick each label's log-probability, all by hand."""

    def loss_of(logits, labels):
        shifted = logits - mx.max(logits, axis=-1, keepdims=True)
        log_probs = shifted - mx.log(mx.sum(mx.exp(shifted), axis=-1, keepdims=True))
        return -mx.mean(mx.take_along_axis(log_probs, labels[..., None], axis=-1))

    return train(loss_of)


@probe.reference
def numpy_float64():
    """Train the same adapters with float64 cross-entropy and AdamW."""
    return train_in_float64(([batch(step)[0]] for step in range(STEPS)), adamw(1e-2))
