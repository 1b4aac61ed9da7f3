"""Gradients averaged in a ring of three and of four, many times over: mlx#4475 reports that it deadlocks.

Symptom: reported is that 3 to 4 in 100 of such runs stand still in a collective, with every rank waiting.
Cause: reported is a ring of more than two whose sends and receives wait for each other.
Fix: none is needed where it does not happen: what it does here is what the table says.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network

from mlxprobe import Outcome, Scenario

ROUNDS = 200

probe = Scenario(ranks=3)


def train(rounds):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    data = batches(group.rank())
    for n in range(rounds):
        value, grads = loss_and_grad(model, *data[n % len(data)])
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def three_ranks():
    """Average over a ring of three."""
    return train(ROUNDS)


@probe.broken(claims=Outcome.HANG, says="Ring collectives deadlock.", expects=Outcome.PASS, ranks=4, comparable=False)
def four_ranks():
    """Average over a ring of four."""
    return train(ROUNDS)
