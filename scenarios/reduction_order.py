"""Ranks reduce the same arrays in another order, and so add what does not belong together.

Symptom: training hangs, or goes on and does not learn what it should; no error.
Cause: collectives have no names: the first of one rank meets the first of the other. A `set` of names has another order
in every process.
Fix: reduce in an order that is the same everywhere, or all at once: `nn.average_gradients(grads)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network
from mlx.utils import tree_flatten, tree_unflatten

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=2)


def train(order, between=lambda one: None):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches(group.rank()):
        value, grads = loss_and_grad(model, x, y)
        reduced = []
        for path, one in order(tree_flatten(grads), group):
            total = mx.distributed.all_sum(one) / group.size()
            between(total)
            reduced.append((path, total))
        optimizer.update(model, tree_unflatten(reduced))
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def same_order():
    """Reduce in the order of the names."""
    return train(lambda grads, group: sorted(grads, key=lambda pair: pair[0]))


@probe.broken(expects=Outcome.HANG, finds=["MP702"], comparable=False)
def other_order():
    """Reduce from the back on one rank, as a set of names might have it."""
    return train(lambda grads, group: sorted(grads, key=lambda pair: pair[0], reverse=group.rank() == 1), mx.eval)


@probe.broken(expects=Outcome.HANG, finds=["MP702"], comparable=False, ranks=4)
def other_order_on_one_of_four():
    """Reduce from the back on one rank of four."""
    return train(lambda grads, group: sorted(grads, key=lambda pair: pair[0], reverse=group.rank() == 2), mx.eval)
