"""Gradients are accumulated over micro-steps, and what has been reduced is reduced again with each.

Symptom: no error; the loss falls, but as if the last micro-step alone counted less than the first, and the more so the
more ranks there are.
Cause: the sum of all ranks is taken of what is accumulated so far, which holds the sums of earlier micro-steps.
Fix: accumulate on each rank, and reduce once before the update.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network
from mlx.utils import tree_map

from mlxprobe import Outcome, Scenario

MICRO_STEPS, UPDATES = 3, 16

probe = Scenario(ranks=2)


def total(grads):
    return tree_map(mx.distributed.all_sum, grads)


def train(each_time):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    data = iter(batches(group.rank(), steps=MICRO_STEPS * UPDATES))
    for _ in range(UPDATES):
        kept = tree_map(mx.zeros_like, model.trainable_parameters())
        for _ in range(MICRO_STEPS):
            _, grads = loss_and_grad(model, *next(data))
            kept = tree_map(mx.add, kept, grads)
            kept = total(kept) if each_time else kept
            mx.eval(kept)
        kept = kept if each_time else total(kept)
        optimizer.update(model, tree_map(lambda one: one / (MICRO_STEPS * group.size()), kept))
        mx.eval(model.parameters(), optimizer.state)
    return model.parameters()


@probe.correct
def before_the_update():
    """Reduce what has been accumulated, once."""
    return train(each_time=False)


@probe.broken(expects=Outcome.WRONG, finds=["MP706"])
def with_each_micro_step():
    """Reduce what has been accumulated so far, each time."""
    return train(each_time=True)


@probe.broken(expects=Outcome.PASS, finds=["MP706"], comparable=False, ranks=4)
def with_each_micro_step_of_four():
    """Do so on four ranks."""
    return train(each_time=True)
