"""One operation divides 0 by 0, or has no gradient where it stands, and from then on everything is NaN.

Symptom: the loss is NaN at some step, often one or two after the one that did it; all weights are NaN by then.
Cause: one row of one batch: nothing to average, nothing but -inf before a softmax, zeros under a root. `mx.where`
    around the result hides it from the loss, and not from the gradient.
Fix: a denominator, a mask, a radicand that cannot be 0 or -inf.
"""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

STEPS, BAD_STEP, ROWS, LENGTH, WIDTH = 30, 12, 8, 6, 16

probe = Scenario()


def errors(model, x):
    """Return the squared error of each position."""
    return mx.mean(mx.square(model(x) - mx.roll(x, 1, axis=-1)), axis=-1)


def train(loss_fn):
    """Train a layer on rows of some length; at one step, one row is empty."""
    mx.random.seed(0)
    model, optimizer = nn.Linear(WIDTH, WIDTH), optim.SGD(learning_rate=0.05)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(STEPS):
        lengths = mx.where(mx.arange(ROWS) == 3, int(step != BAD_STEP), LENGTH - 2)
        mask = mx.arange(LENGTH) < lengths[:, None]
        x = mx.random.normal((ROWS, LENGTH, WIDTH)) * mask[..., None]
        loss, grads = loss_and_grad(model, x, mask)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters())
    return model.parameters()


@probe.correct
def a_denominator_that_is_never_0():
    """Average over each row's own positions, and over the rows."""
    return train(lambda model, x, mask: mx.mean((errors(model, x) * mask).sum(1) / mx.maximum(mask.sum(1), 1)))


@probe.broken(expects=Outcome.NAN, finds=["MP207"])
def nothing_to_average():
    """Divide by the number of positions, and leave the result of empty rows out."""

    def loss_fn(model, x, mask):
        each = (errors(model, x) * mask).sum(axis=1) / mask.sum(axis=1)
        return mx.mean(mx.where(mask.any(axis=1), each, 0.0))

    return train(loss_fn)


@probe.broken(expects=Outcome.NAN, finds=["MP207"])
def nothing_but_minus_infinity():
    """Weigh a row's positions by a softmax over those that are no padding."""

    def loss_fn(model, x, mask):
        weights = mx.softmax(mx.where(mask, model(x).sum(axis=-1), -math.inf), axis=1)
        return mx.mean(mx.sum(errors(model, x) * weights, axis=1))

    return train(loss_fn)


@probe.broken(expects=Outcome.NAN, finds=["MP207"])
def root_of_zero():
    """Keep the length of what each row adds up to at a little more than 0, after the root."""

    def loss_fn(model, x, mask):
        total = mx.sum((model(x) - model.bias) * mask[..., None], axis=1)
        return mx.mean(mx.maximum(mx.sqrt(mx.sum(mx.square(total), axis=1)), 1e-6))

    return train(loss_fn)
