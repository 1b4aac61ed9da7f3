"""The last layer of a language model is tied to its table by assignment, and training takes them apart.

Symptom: two matrices are trained, stored and kept in the optimizer's state where one was meant.
Cause: an attribute holds an array, and arrays do not change: each of the two gets a gradient, and a new array, of its
    own.
Fix: one layer for both: `embed.as_linear(hidden)`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()
IDS, WIDTH = 24, 16


class Separate(nn.Module):
    """Give the head the table's matrix."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(IDS, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, IDS, bias=False)
        self.head.weight = self.embed.weight

    def __call__(self, ids):
        """Return logits."""
        return self.head(mx.tanh(self.mix(self.embed(ids))))


class Tied(nn.Module):
    """Use the table for both."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(IDS, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)

    def __call__(self, ids):
        """Return logits."""
        return self.embed.as_linear(mx.tanh(self.mix(self.embed(ids))))


def train(kind):
    """Teach which id follows which."""
    mx.random.seed(0)
    model, optimizer = kind(), optim.Adam(learning_rate=3e-3)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    for _ in range(60):
        ids = mx.random.randint(0, IDS, (64,))
        loss, grads = loss_and_grad(ids, (3 * ids + 1) % IDS)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def one_table():
    """Tie them."""
    return train(Tied)


@probe.broken(expects=Outcome.WRONG, finds=["MP218"])
def assigned():
    """Assign the weight."""
    return train(Separate)
