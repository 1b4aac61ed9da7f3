"""A metric is reduced on every rank, and read on rank 0 alone.

Symptom: training freezes at the first line that is logged, though every rank built the collective.
Cause: MLX is lazy: what is built and never evaluated never runs. Rank 0 evaluates it, and waits for the others.
Fix: evaluate on every rank what was built on every rank, and print on one.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def train(read):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for n, (x, y) in enumerate(batches(group.rank())):
        value, grads = loss_and_grad(model, x, y)
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mean = mx.distributed.all_sum(value) / group.size()
        mx.eval(model.parameters(), optimizer.state)
        read(group, n, mean)
    return model.parameters()


@probe.correct
def read_on_all():
    """Evaluate the metric on every rank, print it on one."""

    def read(group, n, mean):
        mx.eval(mean)
        if group.rank() == 0 and n % 8 == 7:
            print(n, mean.item())

    return train(read)


@probe.broken(expects=Outcome.HANG, finds=["MP703"], comparable=False)
def read_on_rank_zero():
    """Read the metric where it is printed."""

    def read(group, n, mean):
        if group.rank() == 0 and n % 8 == 7:
            print(n, mean.item())

    return train(read)


@probe.broken(expects=Outcome.HANG, finds=["MP703"], comparable=False, ranks=4)
def read_on_one_of_four():
    """Read the metric on one rank of four."""

    def read(group, n, mean):
        if group.rank() == 0 and n % 8 == 7:
            print(n, mean.item())

    return train(read)
