"""Weights are trained in half precision.

Symptom: in bfloat16 the loss stands still from the first step on; in float16 it is NaN from the second.
Cause: a bfloat16 number has 8 bits: small updates round away. In float16 squares of small gradients, and `eps`, are 0.
Fix: let the optimizer update float32 weights, and compute with a copy of them in half precision.
Limits: with another seed bfloat16 may be told by MP205, with another optimizer float16 may not overflow.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _nearly_trained import batch, loss_fn, pretrained, true_loss
from mlx.utils import tree_map

from mlxprobe import Outcome, Scenario

STEPS = 400
RATE = 2e-4

probe = Scenario(tolerance=0.05)
probe.score(true_loss)


def train(model, optimizer):
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


def train_with_master_weights(dtype):
    """Update float32 weights by the gradients of a copy, and copy them anew."""
    master, model, optimizer = pretrained(), pretrained(dtype), optim.Adam(RATE)
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
    return train(pretrained(), optim.Adam(RATE))


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP205", "MP306"])
def bfloat16():
    """Train in bfloat16."""
    return train(pretrained(mx.bfloat16), optim.Adam(RATE))


@probe.broken(expects=Outcome.NAN, finds=["MP207"])
def float16():
    """Train in float16."""
    return train(pretrained(mx.float16), optim.Adam(RATE))


@probe.mitigation(expects=Outcome.WRONG)
def float16_and_larger_eps():
    """Train in float16, with an `eps` that float16 can hold: no NaN, but shorter steps."""
    return train(pretrained(mx.float16), optim.Adam(RATE, eps=1e-4))


@probe.mitigation()
def bfloat16_with_master_weights():
    """Compute in bfloat16, and update in float32."""
    return train_with_master_weights(mx.bfloat16)


@probe.mitigation()
def float16_with_master_weights():
    """Compute in float16, and update in float32."""
    return train_with_master_weights(mx.float16)
