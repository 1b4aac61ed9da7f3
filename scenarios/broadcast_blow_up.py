"""Predictions of shape (N, 1) are compared with targets of shape (N,).

Symptom: the loss stays where a constant prediction has it; memory grows with the square of the batch.
Cause: the two broadcast to (N, N): every prediction is held against every target.
Fix: `predictions.squeeze(-1)`, or targets of shape (N, 1).
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()
WEIGHTS = mx.array([2.0, -1.0, 0.5, 0.0, 1.0, -2.0])


@probe.score
def true_loss(model):
    """Return the mean squared error, each prediction against its own target."""
    x = mx.random.normal((256, 6), key=mx.random.key(99))
    return nn.losses.mse_loss(model(x).squeeze(-1), x @ WEIGHTS).item()


def train(loss):
    """Fit a small network to a linear rule."""
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, lambda model, x, y: loss(model(x), y))
    for _ in range(80):
        x = mx.random.normal((128, 6))
        value, grads = loss_and_grad(model, x, x @ WEIGHTS)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value.item()
    return model


@probe.correct
def same_axes():
    """Take the last axis away."""
    return train(lambda predictions, targets: mx.mean((predictions.squeeze(-1) - targets) ** 2))


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP110"])
def axis_left():
    """Leave it."""
    return train(lambda predictions, targets: mx.mean((predictions - targets) ** 2))
