"""A small classifier with dropout, its data and its true loss."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

FEATURES, CLASSES = 8, 4
RULE = mx.random.normal((FEATURES, CLASSES), key=mx.random.key(7))


def batch(size=64):
    """Return points and the classes that a linear rule gives them."""
    x = mx.random.normal((size, FEATURES))
    return x, mx.argmax(x @ RULE, axis=1)


def loss(model, x, y):
    """Return the mean cross-entropy."""
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def network(dropout=0.2):
    """Return two layers with dropout between them, and an optimizer."""
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, CLASSES))
    return model, optim.Adam(learning_rate=1e-2)


def epoch(model, optimizer, steps=20):
    """Train some steps, each evaluated."""
    loss_and_grad = nn.value_and_grad(model, loss)
    for _ in range(steps):
        value, grads = loss_and_grad(model, *batch())
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value.item()
