"""One rank has a batch less than the others, whose last collective waits for it.

Symptom: the last step of an epoch hangs, or the ring fails with "connection to a peer was lost" after all was trained.
Cause: each rank goes through its own part of the data, and the parts are not of one length.
Fix: give every rank as many batches: cut off what is left over, or fill up.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network

from mlxprobe import Outcome, Scenario

LONELY = {
    "gpu": Outcome.HANG,
    "mlx<0.32.1": Outcome.HANG,
    "else": Outcome.ERROR,
}  # since then a ring notices a lost peer

probe = Scenario(ranks=2)


def train(mine):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in mine(batches(group.rank()), group):
        value, grads = loss_and_grad(model, x, y)
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def even():
    """Give all ranks as many batches."""
    return train(lambda all_of_them, group: all_of_them)


@probe.broken(expects=LONELY, finds=["MP708"], comparable=False)
def one_less():
    """Give the last rank what is left over."""
    return train(lambda all_of_them, group: all_of_them[: len(all_of_them) - group.rank()])


@probe.broken(expects=LONELY, finds=["MP708"], comparable=False, ranks=4)
def one_less_on_two_of_four():
    """Deal out what is left over to the first two of four."""
    return train(lambda all_of_them, group: all_of_them[: len(all_of_them) - (group.rank() > 1)])
