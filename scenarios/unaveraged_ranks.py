"""Every rank trains a model of its own: nobody averages, or they did not start alike.

Symptom: no error and no hang; more machines do not help, and what rank 0 saves is worse than it should be.
Cause: the gradients are never averaged, or what the average returns is dropped, or the ranks drew other parameters at
the start.
Fix: `grads = nn.average_gradients(grads)` before the update; the same seed until the model is built.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def train(average, seed=lambda group: 0):
    group = mx.distributed.init()
    model, optimizer = network(seed(group))
    loss_and_grad = nn.value_and_grad(model, loss)
    for n, (x, y) in enumerate(batches(group.rank())):
        value, grads = loss_and_grad(model, x, y)
        grads = average(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
        if n % 8 == 7:
            mean = mx.distributed.all_sum(value) / group.size()
            mx.eval(mean)
    return model.parameters()


@probe.correct
def averaged():
    """Average the gradients of models that start alike."""
    return train(nn.average_gradients)


@probe.broken(expects=Outcome.WRONG, finds=["MP706"])
def not_averaged():
    """Forget to."""
    return train(lambda grads: grads)


@probe.broken(expects=Outcome.WRONG, finds=["MP706"])
def average_dropped():
    """Average them, and update with what every rank had before."""

    def average(grads):
        nn.average_gradients(grads)
        return grads

    return train(average)


@probe.broken(expects=Outcome.WRONG, finds=["MP705"])
def other_seeds():
    """Draw each rank's model from its own seed."""
    return train(nn.average_gradients, seed=lambda group: group.rank())


@probe.broken(expects=Outcome.PASS, finds=["MP706"], comparable=False, ranks=4)
def not_averaged_by_four():
    """Forget to, on four ranks."""
    return train(lambda grads: grads)


@probe.broken(expects=Outcome.PASS, finds=["MP705"], comparable=False, ranks=4)
def one_of_four_starts_apart():
    """Draw one rank's model of four from another seed."""
    return train(nn.average_gradients, seed=lambda group: group.rank() == 2)
