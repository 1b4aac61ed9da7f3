"""Every step is given the same batch, or a batch of one row.

Symptom: the loss falls to zero, or not at all, and nothing is learned that holds for other data.
Cause: the iterator is made anew for each step; a buffer's entries are one array, which is written to.
Fix: make the iterator once, before the loop; append copies.
"""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from _classifier import FEATURES, batch, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario()


def train(batches):
    """Train on batches."""
    model, optimizer = network(dropout=0.0)
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches:
        value, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value.item()
    return model


def rounds(data, size=16):
    """Go through a data set, a batch at a time."""
    x, y = data
    for k in range(0, len(x), size):
        yield x[k : k + size], y[k : k + size]


def drawn(size=1024):
    """Return a data set."""
    mx.random.seed(1)
    return batch(size)


def observed(steps=64):
    """Keep what a source writes, and draw batches from it."""
    source, now = np.random.default_rng(2), np.zeros(FEATURES, np.float32)
    buffer = []
    for _ in range(steps):
        for _ in range(16):
            now[:] = source.normal(size=FEATURES)
            buffer.append((now, batch_class(now)))
        some = [buffer[k] for k in source.integers(0, len(buffer), 16)]
        yield mx.array(np.stack([x for x, _ in some])), mx.array([y for _, y in some])


def batch_class(x):
    """Return a point's class."""
    return int(np.argmax(x[:4]))


@probe.correct
def one_iterator():
    """Go through the batches."""
    data = drawn()
    return train(rounds(data))


@probe.broken(expects=Outcome.WRONG, finds=["MP309"])
def first_batch_for_ever():
    """Make the iterator anew for each step."""
    data = drawn()
    return train(next(rounds(data)) for _ in range(64))


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP315"])
def entries_are_one_array():
    """Keep the array that a source writes to in a buffer, and draw batches from that."""
    return train(observed())
