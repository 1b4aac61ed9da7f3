"""The gradients are reduced at each step, and what the optimizer gets is no mean over all ranks.

Symptom: no error, no hang, and all ranks stay alike; more machines do not help, or the loss falls too slowly.
Cause: all ranks read the same batches; the loss is divided by the number of ranks, and the mean takes it again; or the
mask that keeps a rank out of an evaluation keeps it out of the gradients, too.
Fix: a part of the data for each rank, and `nn.average_gradients(grads)`, once, of what all have computed.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network
from mlx.utils import tree_map

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def train(average=nn.average_gradients, part=lambda rank: rank):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches(part(group.rank())):
        value, grads = loss_and_grad(model, x, y)
        optimizer.update(model, average(grads))
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


def mean_of_shares(grads):
    size = mx.distributed.init().size()
    return nn.average_gradients(tree_map(lambda one: one / size, grads))


def mean_of_others(grads):
    group = mx.distributed.init()
    counts = float(group.rank() < group.size() - 1)
    return tree_map(lambda one: mx.distributed.all_sum(counts * one) / (group.size() - 1), grads)


@probe.correct
def averaged():
    """Average, once, what each rank has computed from its own part."""
    return train()


@probe.broken(expects=Outcome.WRONG, finds=["MP706"])
def one_part_for_all():
    """Read the same part on every rank."""
    return train(part=lambda rank: 0)


@probe.broken(expects=Outcome.WRONG, finds=["MP706"])
def divided_twice():
    """Divide by the number of ranks, and average."""
    return train(mean_of_shares)


@probe.broken(expects=Outcome.WRONG, finds=["MP706"])
def last_rank_left_out():
    """Count the last rank's gradients as nothing."""
    return train(mean_of_others)


@probe.broken(expects=Outcome.PASS, finds=["MP706"], comparable=False, ranks=4)
def one_part_for_four():
    """Read the same part on each of four ranks."""
    return train(part=lambda rank: 0)


@probe.broken(expects=Outcome.PASS, finds=["MP706"], comparable=False, ranks=4)
def divided_twice_by_four():
    """Divide by four, and average."""
    return train(mean_of_shares)


@probe.broken(expects=Outcome.PASS, finds=["MP706"], comparable=False, ranks=4)
def one_of_four_left_out():
    """Count the last of four ranks' gradients as nothing."""
    return train(mean_of_others)
