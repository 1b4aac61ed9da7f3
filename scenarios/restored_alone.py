"""One rank alone is given what a checkpoint holds, and the others go on from what they have.

Symptom: no error; after a restart the loss is higher than before it, and falls more slowly.
Cause: the file is read behind `if rank == 0`, as it is written; nothing brings the others to what was read.
Fix: read it on every rank, or send rank 0's to all: `mx.distributed.all_sum(p if rank == 0 else mx.zeros_like(p))`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _ranks import batches, loss, network
from mlx.utils import tree_flatten

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def steps(model, optimizer, some):
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in some:
        value, grads = loss_and_grad(model, x, y)
        optimizer.update(model, nn.average_gradients(grads))
        mx.eval(model.parameters(), optimizer.state, value)


def train(has_weights, has_state):
    group = mx.distributed.init()
    rank = group.rank()
    model, optimizer = network()[0], optim.Adam(0.02)
    steps(model, optimizer, batches(rank)[:12])
    saved, state = tree_flatten(model.parameters()), optimizer.state
    again, optimizer = network()[0], optim.Adam(0.02)
    if has_weights(rank):
        again.load_weights(saved)
    if has_state(rank):
        optimizer.state = state
    mx.eval(again.parameters())
    steps(again, optimizer, batches(rank)[12:])
    return again.parameters()


@probe.correct
def on_all():
    """Give weights and state to every rank."""
    return train(lambda rank: True, lambda rank: True)


@probe.broken(expects=Outcome.WRONG, finds=["MP705"])
def weights_on_rank_zero():
    """Give the weights to rank 0 alone."""
    return train(lambda rank: rank == 0, lambda rank: True)


@probe.broken(expects=Outcome.WRONG, finds=["MP705"])
def state_on_rank_zero():
    """Give the optimizer's state to rank 0 alone."""
    return train(lambda rank: True, lambda rank: rank == 0)


@probe.broken(expects=Outcome.PASS, finds=["MP705"], comparable=False, ranks=4)
def state_on_one_of_four():
    """Give the optimizer's state to rank 2 of four alone."""
    return train(lambda rank: True, lambda rank: rank == 2)
