"""A weight behind an underscore is never trained.

Symptom: the loss falls, though not as far as it should; one array never changes.
Cause: MLX takes no attribute whose name begins with an underscore, and no tuple, for parameters.
Fix: another name, a list in place of a tuple.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _classifier import CLASSES, FEATURES, batch, epoch, loss

from mlxprobe import Outcome, Scenario

probe = Scenario()


@probe.score
def held_out(model):
    """Return the loss on points that nobody trained on."""
    mx.random.seed(99)
    return loss(model, *batch(512)).item()


class Prototypes(nn.Module):
    """Classes by their distance to learned prototypes, held under a name of the caller's."""

    def __init__(self, name):
        super().__init__()
        self.embed = nn.Linear(FEATURES, FEATURES)
        self.name = name
        setattr(self, name, 0.1 * mx.random.normal((CLASSES, FEATURES)))

    def __call__(self, x):
        return self.embed(x) @ getattr(self, self.name).T


def train(name):
    """Train, with the embedding frozen: the prototypes are all there is to learn."""
    mx.random.seed(0)
    model = Prototypes(name)
    epoch(model, optim.Adam(learning_rate=5e-3), steps=40)
    return model


@probe.correct
def plain_name():
    """Call the weight by a name."""
    return train("prototypes")


@probe.broken(expects=Outcome.PASS, finds=["MP213"], comparable=False)
def underscore():
    """Put an underscore before it."""
    return train("_prototypes")
