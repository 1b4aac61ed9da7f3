"""Validation data are prepared in another way than training data.

Symptom: the training loss falls, and the validation is that of a model that knows nothing.
Cause: what the model is given in validation is not standardised as its training data are.
Fix: one function that prepares both.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()
MEAN, DEVIATION = 40.0, 12.0


def measured(count):
    """Return measures as an instrument gives them, and what is to be told from them."""
    x = MEAN + DEVIATION * mx.random.normal((count, 6))
    mx.eval(x)
    return x, (x[:, 0] > x[:, 1]).astype(mx.int32)


def standardised(x):
    """Return numbers around 0, of about 1."""
    x = (x - MEAN) / DEVIATION
    mx.eval(x)
    return x


def train(prepare):
    """Train on standardised measures, and validate on those that a function prepares."""
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    for step in range(100):
        x, y = measured(64)
        loss, grads = loss_and_grad(standardised(x), y)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
        if step % 10 == 9:
            x, y = measured(64)
            print((model(prepare(x)).argmax(axis=1) == y).mean().item())
    return model


@probe.correct
def prepared_alike():
    """Standardise both."""
    return train(standardised)


@probe.broken(expects=Outcome.PASS, finds=["MP311"])
def as_measured():
    """Validate on the measures as they are."""
    return train(lambda x: x)
