"""Data in NCL layout go into a convolution that wants NLC.

Symptom: a ValueError for its channels; where length and channels are one number, filters that learn something else.
Cause: MLX convolves (batch, length, channels), not (batch, channels, length), and checks only the number of channels.
Fix: `mx.transpose(x, (0, 2, 1))` before the layer, or NLC from the loader on.
Limits: its NumPy reference computes SGD alone; with other seeds the wrong layout may not learn at all.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

from mlxprobe import Outcome, Scenario

STEPS, BATCH, CHANNELS = 60, 8, 12
SMOOTH = 5
RATE = 0.1

probe = Scenario(documents=["003_a039be727e17cf61.txt"])


def problem(length):
    """Return the first weight, NCL recordings, and for each position of them the answer of an unknown filter."""
    rng = np.random.default_rng(0)
    weight, unknown = rng.normal(0, 0.1, (4, 3, CHANNELS)), rng.normal(0, 0.5, (4, 3, CHANNELS))
    noise = rng.normal(0, 1, (STEPS, BATCH, CHANNELS, length + SMOOTH))  # averaged: what is recorded changes slowly
    recordings = sum(noise[..., k : k + length] for k in range(SMOOTH)) / SMOOTH**0.5
    return weight, recordings, [convolve(unknown, x.transpose(0, 2, 1)) for x in recordings]


def windows(x):
    """Return the three positions around each one of NLC data: (batch, length, 3, channels)."""
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    return np.stack([padded[:, k : k + x.shape[1]] for k in range(3)], axis=2)


def convolve(weight, x):
    return np.einsum("blkc,okc->blo", windows(x), weight)


def train(layout, length):
    weight, recordings, answers = problem(length)
    conv, optimizer = nn.Conv1d(CHANNELS, 4, kernel_size=3, padding=1, bias=False), optim.SGD(RATE)
    conv.weight = mx.array(weight)
    loss_and_grad = nn.value_and_grad(conv, lambda conv, x, y: nn.losses.mse_loss(conv(x), y))
    for x, y in zip(recordings, answers, strict=True):
        loss, grads = loss_and_grad(conv, layout(mx.array(x)), mx.array(y))
        optimizer.update(conv, grads)
        mx.eval(loss, conv.parameters(), optimizer.state)
        loss.item()
    return conv


@probe.reference
def numpy_float64():
    """Descend the same gradients by hand, in NumPy float64."""
    weight, recordings, answers = problem(length=CHANNELS)
    for x, y in zip(recordings, answers, strict=True):
        error = convolve(weight, x.transpose(0, 2, 1)) - y
        weight -= RATE * 2 / error.size * np.einsum("blo,blkc->okc", error, windows(x.transpose(0, 2, 1)))
    return {"weight": weight}


@probe.correct
def nlc():
    """Transpose the recordings to batch, length, channels, as the document's repair does."""
    return train(lambda x: mx.transpose(x, (0, 2, 1)), length=CHANNELS)


@probe.broken(claims=Outcome.ERROR, says="Conv1d expects NLC, not NCL.", expects=Outcome.ERROR, finds=["MP305"])
def ncl():
    """Feed recordings as they are, batch, channels, length."""
    return train(lambda x: x, length=CHANNELS + 2)


@probe.broken(expects=Outcome.WRONG, finds=["MP305"])
def ncl_where_length_is_channels():
    """Feed recordings as they are, with as many positions as channels."""
    return train(lambda x: x, length=CHANNELS)
