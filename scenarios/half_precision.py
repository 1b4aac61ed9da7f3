"""Weights are trained in half precision.

Symptom: in bfloat16 the loss stands still from the first step on; in float16 it is NaN from the second.
Cause: bfloat16 has 8 significant bits: an update under 1/512 of its weight rounds away. In float16 the squared
    gradients, and Adam's `eps` of 1e-8, are 0: the update divides by zero.
Fix: keep the weights that the optimizer updates in float32, and compute with a copy of them in half precision.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

from mlxprobe import Outcome, Scenario

STEPS = 400
WIDTH = 32

probe = Scenario(tolerance=0.05)


def pretrained():
    """Make a layer with weights between 1 and 2, a little off what is to be learned."""
    layer = nn.Linear(WIDTH, WIDTH, bias=False)
    layer.weight = ideal() + 0.05 * mx.random.normal((WIDTH, WIDTH), key=mx.random.key(1))
    return layer


def ideal():
    return mx.random.uniform(1, 2, (WIDTH, WIDTH), key=mx.random.key(0))


def batch(step, size=64):
    x = mx.random.normal((size, WIDTH), key=mx.random.key(10 + step))
    return x, x @ ideal().T + 0.15 * mx.random.normal((size, WIDTH), key=mx.random.key(1_000_000 + step))


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x.astype(model.weight.dtype)).astype(mx.float32), y)


@probe.score
def true_loss(model):
    return loss_fn(model, *batch(step=10_000, size=1024)).item()


def train(model, optimizer):
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


def converted(dtype):
    model = pretrained()
    model.set_dtype(dtype)
    return model


def train_with_master_weights(dtype):
    """Update float32 weights with the gradients of their copy in half precision."""
    master, model, optimizer = pretrained(), converted(dtype), optim.Adam(2e-4)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(master, tree_map(lambda grad: grad.astype(mx.float32), grads))
        model.update(tree_map(lambda weight: weight.astype(dtype), master.parameters()))
        mx.eval(loss, model.parameters(), master.parameters(), optimizer.state)
        loss.item()
    return master


@probe.correct
def float32():
    """Train in float32."""
    return train(pretrained(), optim.Adam(2e-4))


@probe.broken(expects=Outcome.NO_LEARNING)
def bfloat16():
    """Convert the weights to bfloat16."""
    return train(converted(mx.bfloat16), optim.Adam(2e-4))


@probe.broken(expects=Outcome.NAN, finds=["MP207"])
def float16():
    """Convert the weights to float16."""
    return train(converted(mx.float16), optim.Adam(2e-4))


@probe.mitigation(expects=Outcome.WRONG)
def float16_with_larger_eps():
    """Give Adam an `eps` that float16 can hold."""
    return train(converted(mx.float16), optim.Adam(2e-4, eps=1e-4))


@probe.mitigation()
def bfloat16_with_master_weights():
    """Compute in bfloat16, and update in float32."""
    return train_with_master_weights(mx.bfloat16)


@probe.mitigation()
def float16_with_master_weights():
    """Compute in float16, and update in float32."""
    return train_with_master_weights(mx.float16)
