"""Weight decay takes a good part of every weight away at each update.

Symptom: the loss settles at that of a constant, a little above it, whatever the rate.
Cause: each update takes the rate times the decay of every weight: with 3e-3 and 100 that is 30 %.
Fix: a decay of 0.01 to 0.1.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _classifier import batch, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario()


def train(weight_decay):
    """Train with a decay."""
    model, _ = network(dropout=0.0)
    optimizer = optim.AdamW(learning_rate=3e-3, weight_decay=weight_decay)
    loss_and_grad = nn.value_and_grad(model, loss)
    for _ in range(100):
        value, grads = loss_and_grad(model, *batch())
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value.item()
    return model


@probe.correct
def a_hundredth():
    """Decay by 0.01."""
    return train(0.01)


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP216"])
def a_hundred():
    """Decay by 100."""
    return train(100.0)
