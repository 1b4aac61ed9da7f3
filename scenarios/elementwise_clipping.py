"""Gradients are clipped element by element, far below their size.

Symptom: the loss falls as slowly for large gradients as for small ones, and clipping by norm seems to change nothing.
Cause: most elements sit exactly at the clipping value: what is left of the gradient are its signs.
Fix: `grads, norm = optim.clip_grad_norm(grads, max_norm)`, alone, which keeps the direction.
Limits: with other seeds or momentum it learns something, and is wrong.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

from mlxprobe import Outcome, Scenario

STEPS = 120
SCALES = mx.array([30.0, 10.0, 3.0, 1.0])  # of the inputs: some gradients are far larger than others

probe = Scenario(tolerance=1e-3)


def data():
    x = mx.random.normal((256, 4), key=mx.random.key(1)) * SCALES
    return x, x @ mx.random.normal((4, 8), key=mx.random.key(2))


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


@probe.score
def final_loss(model):
    """Return the loss on all data."""
    return loss_fn(model, *data()).item()


def train(clip):
    mx.random.seed(0)
    model, (x, y) = nn.Linear(4, 8), data()
    optimizer, loss_and_grad = optim.SGD(learning_rate=0.01), nn.value_and_grad(model, loss_fn)
    for _ in range(STEPS):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, clip(grads))
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


def by_element(grads):
    return tree_map(lambda grad: mx.clip(grad, -0.05, 0.05), grads)


def by_norm(grads):
    return optim.clip_grad_norm(grads, max_norm=10.0)[0]


@probe.correct
def norm_alone():
    """Clip by norm."""
    return train(by_norm)


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP212"])
def elements_first():
    """Clip element by element, and by norm after that."""
    return train(lambda grads: by_norm(by_element(grads)))
