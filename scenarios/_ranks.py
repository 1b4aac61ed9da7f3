"""A tiny regression, trained on several ranks: each has its own part of the data."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

FEATURES, STEPS = 8, 24
RULE = mx.random.normal((FEATURES, 1), key=mx.random.key(7))


def batches(rank, steps=STEPS, size=32):
    """Return a rank's own batches."""
    keys = mx.random.split(mx.random.key(100 + rank), steps)
    points = [mx.random.normal((size, FEATURES), key=key) for key in keys]
    return [(x, x @ RULE) for x in points]


def loss(model, x, y):
    """Return the mean squared error."""
    return nn.losses.mse_loss(model(x), y)


def network(seed=0):
    """Return two layers and an optimizer, the same on every rank."""
    mx.random.seed(seed)
    model = nn.Sequential(nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, 1))
    mx.eval(model.parameters())
    return model, optim.SGD(learning_rate=0.05)
