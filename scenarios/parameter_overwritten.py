"""The loss function writes into a parameter.

Symptom: one row of an embedding never learns, or drifts; the loss is a little worse than it should be.
Cause: the gradient is of what the parameter was, and the update is made to what it was overwritten with.
Fix: compute with a masked copy; leave the parameter alone.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _classifier import CLASSES, FEATURES, epoch

from mlxprobe import Outcome, Scenario

probe = Scenario()


class Gated(nn.Module):
    """A classifier whose first gates are held at one."""

    def __init__(self, hold):
        super().__init__()
        self.layer = nn.Linear(FEATURES, CLASSES)
        self.gates = mx.ones((FEATURES,))
        self.hold = hold

    def __call__(self, x):
        return self.layer(x * self.hold(self))


def train(hold):
    """Train with one way of holding gates."""
    mx.random.seed(0)
    model = Gated(hold)
    epoch(model, optim.Adam(learning_rate=1e-2))
    return model


@probe.correct
def masked_copy():
    """Compute with a copy in which they are one."""
    return train(lambda model: mx.where(mx.arange(FEATURES) < 2, 1.0, model.gates))


@probe.broken(expects=Outcome.WRONG, finds=["MP214"])
def written():
    """Write them into the parameter."""

    def hold(model):
        model.gates[:2] = 0.5
        return model.gates

    return train(hold)
