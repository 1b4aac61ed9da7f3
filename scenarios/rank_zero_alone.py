"""Rank 0 alone validates, and its collective waits for the others for ever.

Symptom: training freezes at the first validation; every rank sleeps, and nothing is printed.
Cause: what only one rank needs stands below `if rank == 0`, and a collective in it too: the others never join.
Fix: build collectives on every rank, and print on one.
"""

import os

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def train(validate):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for n, (x, y) in enumerate(batches(group.rank())):
        value, grads = loss_and_grad(model, x, y)
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
        if n % 8 == 7:
            validate(group, model, x, y)
    return model.parameters()


@probe.correct
def validated_on_all():
    """Validate on every rank, print on one."""

    def validate(group, model, x, y):
        mean = mx.distributed.all_sum(loss(model, x, y)) / group.size()
        mx.eval(mean)
        if group.rank() == 0:
            print(mean.item())

    return train(validate)


@probe.broken(expects=Outcome.HANG, finds=["MP701"], comparable=False)
def validated_on_rank_zero():
    """Validate where it is printed."""

    def validate(group, model, x, y):
        if group.rank() == 0:
            mean = mx.distributed.all_sum(loss(model, x, y)) / group.size()
            print(mean.item())

    return train(validate)


@probe.broken(expects=Outcome.HANG, finds=["MP701"], comparable=False, ranks=4)
def validated_on_one_of_four():
    """Validate where it is printed, while three others train on."""

    def validate(group, model, x, y):
        if group.rank() == 0:
            print(mx.distributed.all_sum(loss(model, x, y)).item())

    return train(validate)


@probe.mitigation()
def saved_on_rank_zero():
    """Save and print on rank 0: no collective, and right."""

    def validate(group, model, x, y):
        if group.rank() == 0:
            print(loss(model, x, y).item())
            model.save_weights(os.path.abspath("weights.safetensors"))

    return train(validate)
