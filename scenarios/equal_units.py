"""All units of a layer begin alike, and learn the same.

Symptom: the loss falls a little and stays far above what the network can do, however wide it is made.
Cause: equal weights in, equal weights out: every unit gets the same gradient at every step.
Fix: weights that are drawn at random.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()


def batch(count):
    """Return points in a square and the product of their places: no single unit computes that."""
    x = mx.random.uniform(-1, 1, (count, 2))
    return x, x[:, :1] * x[:, 1:]


@probe.score
def held_out(model):
    """Return the loss on points that nobody trained on."""
    mx.random.seed(99)
    x, y = batch(512)
    return nn.losses.mse_loss(model(x), y).item()


def train(start):
    """Train from weights and biases that a function fills."""
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    model.apply(start)
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for _ in range(200):
        loss, grads = loss_and_grad(*batch(64))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def at_random():
    """Draw the weights."""
    return train(nn.init.uniform(-0.7, 0.7))


@probe.broken(expects=Outcome.PASS, finds=["MP217"], comparable=False)
def one_constant():
    """Fill them with one number."""
    return train(nn.init.constant(0.3))
