"""The gradients are averaged, and what the average returns is dropped.

Symptom: no error and no hang, and the line that averages is there; more machines do not help.
Cause: `nn.average_gradients` returns the mean and changes nothing. Dropped, it is never even run: MLX is lazy.
Fix: `grads = nn.average_gradients(grads)`.
Limits: beside another collective that is evaluated now and then, a mean loss for example, it is told as MP705.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def train(average):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches(group.rank()):
        value, grads = loss_and_grad(model, x, y)
        grads = average(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def kept():
    """Update with what the average returns."""
    return train(nn.average_gradients)


@probe.broken(expects=Outcome.WRONG, finds=["MP706"])
def dropped():
    """Update with the gradients of the rank alone."""

    def average(grads):
        nn.average_gradients(grads)
        return grads

    return train(average)
