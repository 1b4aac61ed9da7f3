"""The gradients of several micro-batches are summed and not averaged.

Symptom: with SGD the loss explodes after a few updates; with AdamW nothing shows.
Cause: the sum over a window of 4 micro-batches is a learning rate 4 times as high. AdamW divides by the gradients'
    own size, and the factor cancels.
Fix: divide the sum with `tree_map`: a gradient tree is nested, and the values at its top are no arrays.
Limits: its NumPy reference computes these sizes and optimizers alone.
"""

import mlx.optimizers as optim
from _qlora_float64 import adamw, sgd, train_in_float64
from _qlora_llama import WINDOW, Training, divide, true_loss, windows

from mlxprobe import Outcome, Scenario

UPDATES = 16

probe = Scenario(documents=["004_5bdaaef4cda6c98e.txt"], tolerance=1e-3)
probe.score(lambda trained: max(true_loss(adapters) for adapters in trained.values()))


def train(optimizer, combine, evaluate=True):
    """Update with what `combine` makes of the sum of each window's gradients."""
    training = Training(optimizer)
    for window in windows(UPDATES):
        total = None
        for tokens in window:
            total = training.accumulate(total, tokens, evaluate=evaluate)
        training.update(combine(total))
    return training.model.trainable_parameters()


def mean(total):
    return divide(total, WINDOW)


def mean_key_by_key(total):
    for key in total:
        total[key] = total[key] / WINDOW
    return total


@probe.correct
def averaged():
    """Give both optimizers the average of each window's gradients."""
    return {"sgd": train(optim.SGD(1.0), mean), "adamw": train(optim.AdamW(1e-2), mean)}


@probe.broken(claims=Outcome.NO_LEARNING, says="They explode.", expects=Outcome.NO_LEARNING, finds=["MP203", "MP208"])
def summed_with_sgd():
    """Give SGD the sum of each window's gradients."""
    return {"sgd": train(optim.SGD(1.0), lambda total: total), "adamw": train(optim.AdamW(1e-2), mean)}


@probe.broken(claims=Outcome.NO_LEARNING, says="Summed gradients explode.", expects=Outcome.PASS)
def summed_with_adamw():
    """Give AdamW the sum of each window's gradients."""
    return {"sgd": train(optim.SGD(1.0), mean), "adamw": train(optim.AdamW(1e-2), lambda total: total)}


@probe.documented_fix(says="Dividing key by key averages the sum.", expects=Outcome.ERROR, raises="TypeError")
def averaged_key_by_key():
    """Divide each value at the top of the gradient tree, as the document's fix does."""
    return {"sgd": train(optim.SGD(1.0), mean_key_by_key), "adamw": train(optim.AdamW(1e-2), mean_key_by_key)}


@probe.broken(expects=Outcome.PASS)
def accumulated_lazily():
    """Evaluate each micro-batch's loss, but its gradients only with the window's update."""
    return {"sgd": train(optim.SGD(1.0), mean, evaluate=False), "adamw": train(optim.AdamW(1e-2), mean, evaluate=False)}


@probe.reference
def numpy_float64():
    """Train the same adapters in float64 with the average of each window's gradients."""
    with_sgd = train_in_float64(windows(UPDATES), sgd(1.0))
    return {"sgd": with_sgd, "adamw": train_in_float64(windows(UPDATES), adamw(1e-2))}
