"""The micro-batches that do not fill a window at an epoch's end are mishandled.

Symptom: every epoch loses its last micro-batches, or they count for less than the others.
Cause: the update stands under `if count == WINDOW`, which a remainder never meets; or the remainder's sum is
    divided by the size of a full window.
Fix: after the loop, divide what is left by its own number of micro-batches, and update.
Limits: its NumPy reference computes this optimizer alone.
"""

import mlx.optimizers as optim
from _qlora_float64 import sgd, train_in_float64
from _qlora_llama import WINDOW, Training, divide, micro_batches, true_loss

from mlxprobe import Outcome, Scenario

EPOCHS = 4

probe = Scenario(documents=["004_5bdaaef4cda6c98e.txt"])
probe.score(true_loss)


@probe.correct
def divided_by_its_own_size():
    """Average the remainder over its own micro-batches."""
    training = Training(optim.SGD(1.0))
    for epoch in range(EPOCHS):
        total, count = None, 0
        for tokens in micro_batches(epoch):
            total, count = training.accumulate(total, tokens), count + 1
            if count == WINDOW:
                training.update(divide(total, WINDOW))
                total, count = None, 0
        if count:
            training.update(divide(total, count))
    return training.model.trainable_parameters()


@probe.broken(
    claims=Outcome.WRONG, says="An epoch's last gradients are ignored.", expects=Outcome.WRONG, finds=["MP204"]
)
def ignored():
    """Update after full windows only."""
    training = Training(optim.SGD(1.0))
    for epoch in range(EPOCHS):
        total, count = None, 0
        for tokens in micro_batches(epoch):
            total, count = training.accumulate(total, tokens), count + 1
            if count == WINDOW:
                training.update(divide(total, WINDOW))
                total, count = None, 0
    return training.model.trainable_parameters()


@probe.broken(expects=Outcome.WRONG)
def divided_by_the_full_size():
    """Divide the remainder's sum as if its window were full."""
    training = Training(optim.SGD(1.0))
    for epoch in range(EPOCHS):
        total, count = None, 0
        for tokens in micro_batches(epoch):
            total, count = training.accumulate(total, tokens), count + 1
            if count == WINDOW:
                training.update(divide(total, WINDOW))
                total, count = None, 0
        if count:
            training.update(divide(total, WINDOW))
    return training.model.trainable_parameters()


@probe.reference
def numpy_float64():
    """Train the same adapters in float64, with the average of each window and of each remainder."""
    epochs = [micro_batches(epoch) for epoch in range(EPOCHS)]
    windows = [epoch[first : first + WINDOW] for epoch in epochs for first in range(0, len(epoch), WINDOW)]
    return train_in_float64(windows, sgd(1.0))
