"""An augmentation writes into its argument, which is a part of the data.

Symptom: the training loss rises from epoch to epoch, or stands still at chance; other data get worse results.
Cause: a slice of a NumPy array is a view: `+=` adds the noise of every epoch to the data themselves.
Fix: `return rows + noise`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

from mlxprobe import Outcome, Scenario

probe = Scenario()
ROWS, SIZE, NOISE = 256, 32, 0.5


def noise(generator, rows):
    """Draw noise for some rows."""
    return NOISE * generator.normal(size=rows.shape).astype(np.float32)


def train(augmented):
    """Train a classifier of rows, each epoch on other noise."""
    mx.random.seed(0)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 5, ROWS)
    data = (generator.normal(size=(5, 12))[labels] + noise(generator, np.empty((ROWS, 12)))).astype(np.float32)
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 5))
    optimizer = optim.Adam(learning_rate=3e-3)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    for _epoch in range(60):
        for start in range(0, ROWS, SIZE):
            part = slice(start, start + SIZE)
            loss, grads = loss_and_grad(mx.array(augmented(generator, data[part])), mx.array(labels[part]))
            optimizer.update(model, grads)
            mx.eval(loss, model.parameters(), optimizer.state)
            loss.item()
    return model


@probe.correct
def a_sum():
    """Add to a copy."""
    return train(lambda generator, rows: rows + noise(generator, rows))


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP314"])
def in_place():
    """Add in place."""

    def augmented(generator, rows):
        rows += noise(generator, rows)
        return rows

    return train(augmented)
