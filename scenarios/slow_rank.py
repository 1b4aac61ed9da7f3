"""One rank has four times the work of the other, which waits for it at every step.

Symptom: no error, and a right loss; two ranks train hardly faster than one.
Cause: a collective ends when the last rank has come, so that all train at the pace of the slowest.
Fix: share the work evenly: as many micro-batches on every rank, and long sequences dealt out in turn.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _ranks import FEATURES, loss
from mlx.utils import tree_map

from mlxprobe import Outcome, Scenario

STEPS, SIZE = 16, 3072

probe = Scenario(ranks=2, needs=["cpu"])  # of a GPU no system tells which rank works


def train(share):
    """Train on several micro-batches a step, shared out to the ranks."""
    group = mx.distributed.init()
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(FEATURES, 256), nn.Tanh(), nn.Linear(256, 1))
    optimizer = optim.SGD(0.01)
    mx.eval(model.parameters())
    mx.random.seed(1 + group.rank())
    loss_and_grad = nn.value_and_grad(model, loss)
    for _ in range(STEPS):
        summed = None
        for _ in range(share[group.rank()]):
            x = mx.random.normal((SIZE, FEATURES))
            value, grads = loss_and_grad(model, x, x.sum(1, keepdims=True))
            summed = tree_map(mx.add, summed, grads) if summed else grads
        summed = nn.average_gradients(summed)
        optimizer.update(model, tree_map(lambda g: g * (group.size() / sum(share)), summed))
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def shared_out():
    """Give both ranks two micro-batches."""
    return train([2, 2])


@probe.broken(expects=Outcome.PASS, finds=["MP707"], comparable=False)
def one_has_four():
    """Give rank 1 four micro-batches to the other's one."""
    return train([1, 4])
