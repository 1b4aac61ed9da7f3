"""The batches come of a generator that is made once, and the first epoch uses it up.

Symptom: the loss stands still from the second epoch on, and the run is over much too soon.
Cause: a generator gives what it has once: each later epoch iterates nothing, and nothing says so.
Fix: make the generator anew for each epoch, or keep the batches in a list.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()
ROWS, SIZE, EPOCHS = 512, 32, 20


def rows():
    """Draw inputs and their targets."""
    mx.random.seed(0)
    x = mx.random.normal((ROWS, 6))
    return x, mx.tanh(x @ mx.random.normal((6, 1)))


def cut(x, y):
    """Yield the batches of one epoch."""
    for start in range(0, ROWS, SIZE):
        yield x[start : start + SIZE], y[start : start + SIZE]


def train(batches):
    """Train for some epochs."""
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(learning_rate=3e-3)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for _epoch in range(EPOCHS):
        for x, y in batches:
            loss, grads = loss_and_grad(x, y)
            optimizer.update(model, grads)
            mx.eval(loss, model.parameters(), optimizer.state)
            loss.item()
    return model


@probe.correct
def a_list():
    """Keep the batches."""
    return train(list(cut(*rows())))


@probe.broken(expects=Outcome.WRONG, finds=["MP313"])
def a_generator():
    """Let the first epoch use them up."""
    return train(cut(*rows()))
