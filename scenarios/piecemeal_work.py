"""A batch is stacked of samples that are taken one by one.

Symptom: most of a step is spent before the gradients; a faster device changes nothing.
Cause: every `data[i]` is an operation of its own, which Python describes and MLX schedules.
Fix: index once, with an array: `data[mx.array(indices)]`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario(slow_factor=2)
SAMPLES, BATCH = 4000, 1200


def train(gather):
    """Fit a classifier to batches that `gather` makes."""
    mx.random.seed(0)
    data = mx.random.normal((SAMPLES, 8))
    labels = (data.sum(axis=1) > 0).astype(mx.int32)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    for step in range(20):
        indices = [(step * 613 + 7 * k) % SAMPLES for k in range(BATCH)]
        loss, grads = loss_and_grad(model, gather(data, indices), labels[mx.array(indices)])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def one_index():
    """Gather the batch by one operation."""
    return train(lambda data, indices: data[mx.array(indices)])


@probe.broken(expects=Outcome.SLOW, finds=["MP111"])
def one_by_one():
    """Gather it by one operation a sample."""
    return train(lambda data, indices: mx.stack([data[k] for k in indices]))
