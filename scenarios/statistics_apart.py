"""Batch normalisation counts on each rank what that rank alone has seen.

Symptom: no error; parameters are equal, and an evaluation gives another loss on each rank.
Cause: gradients are averaged, running means and variances are no parameters that are trained: nobody averages them, and
the ranks' data differ.
Fix: average the running statistics before an evaluation, and before they are saved.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _ranks import FEATURES, batches, loss

from mlxprobe import Outcome, Scenario

FAR = 3.0  # between the means of what ranks see

probe = Scenario(ranks=2)


def train(is_averaged):
    group = mx.distributed.init()
    mx.random.seed(0)
    model = nn.Sequential(nn.BatchNorm(FEATURES), nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = optim.SGD(0.05)
    mx.eval(model.parameters())
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches(group.rank()):
        value, grads = loss_and_grad(model, x + FAR * group.rank(), y)
        optimizer.update(model, nn.average_gradients(grads))
        mx.eval(model.state, optimizer.state, value)
    norm = model.layers[0]
    if is_averaged:
        for name in ("running_mean", "running_var"):
            norm[name] = mx.distributed.all_sum(norm[name]) / group.size()
    mx.eval(model.state)
    return {"weight": model.layers[1].weight, "mean": norm.running_mean, "variance": norm.running_var}


@probe.correct
def averaged():
    """Average the statistics at the end."""
    return train(is_averaged=True)


@probe.broken(expects=Outcome.WRONG, finds=["MP705"])
def counted_alone():
    """Leave each rank what it has counted."""
    return train(is_averaged=False)


@probe.broken(expects=Outcome.PASS, finds=["MP705"], comparable=False, ranks=4)
def counted_alone_by_four():
    """Leave each of four ranks what it has counted."""
    return train(is_averaged=False)
