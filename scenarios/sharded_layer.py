"""A sharded layer on two ranks whose parts do not belong to one group, or see other data.

Symptom: training hangs in the first step; or it runs, and learns something else on each rank.
Cause: each rank holds a part of one layer. Its parts meet in a collective of their group: a part with another group
waits alone; and with other data on every rank the sum is of activations that do not belong together.
Fix: the same group for all parts of a layer, and the same batch on every rank of it.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _ranks import FEATURES, batches, loss

from mlxprobe import Outcome, Scenario

LONELY = {
    "gpu": Outcome.HANG,
    "mlx<0.32.1": Outcome.HANG,
    "else": Outcome.ERROR,
}  # since then a ring notices a lost peer

probe = Scenario(ranks=2)


class Sharded(nn.Module):
    """Two linear layers, the hidden units shared out."""

    def __init__(self, inner, outer):
        super().__init__()
        self.up = nn.AllToShardedLinear(FEATURES, 16, group=inner)
        self.down = nn.ShardedToAllLinear(16, 1, group=outer)

    def __call__(self, x):
        return self.down(nn.tanh(self.up(x)))


def train(model, rank=0):
    optimizer = optim.SGD(0.05)
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches(rank):
        value, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def same_group():
    """Share out both layers over the same group; every rank sees the same data."""
    group = mx.distributed.init()
    mx.random.seed(0)
    return train(Sharded(group, group))


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP705"])
def other_data():
    """Give every rank of the layer's group data of its own."""
    group = mx.distributed.init()
    mx.random.seed(0)
    return train(Sharded(group, group), rank=group.rank())


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP705"], comparable=False, ranks=4)
def other_data_for_four():
    """Give each of four ranks that share a layer data of its own."""
    group = mx.distributed.init()
    mx.random.seed(0)
    return train(Sharded(group, group), rank=group.rank())


@probe.broken(expects=LONELY, finds=["MP701"], comparable=False, ranks=4)
def evaluated_on_one_of_four():
    """Evaluate where it is printed: each call of the model is a collective of the four that share its layers."""
    group = mx.distributed.init()
    mx.random.seed(0)
    model = Sharded(group, group)
    train(model)
    if group.rank() == 0:
        print(loss(model, *batches(9)[0]).item())
    return train(model)
