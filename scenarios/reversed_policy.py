"""A policy's loss lacks its minus sign.

Symptom: rewards fall while the loss falls as well.
Cause: `log_prob * advantages` is to become large, and what an optimizer is given becomes small.
Fix: `-mx.mean(log_prob * advantages)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _classifier import RULE, batch, network

from mlxprobe import Outcome, Scenario

probe = Scenario()


def train(sign):
    """Train a policy that is rewarded for the class of each state."""
    model, optimizer = network(dropout=0.0)

    def loss_fn(states, actions, advantages):
        log_prob = mx.take_along_axis(nn.log_softmax(model(states)), actions[:, None], axis=1)[:, 0]
        return sign * mx.mean(log_prob * advantages)

    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for _ in range(100):
        states, _ = batch()
        actions = mx.random.categorical(model(states))
        rewards = (actions == mx.argmax(states @ RULE, axis=1)).astype(mx.float32)
        value, grads = loss_and_grad(states, actions, rewards - mx.mean(rewards))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value.item()
    return model


@probe.score
def rewarded(model):
    """Return how often the best action is the likeliest, negated: lower is better."""
    states, classes = batch(256)
    return -mx.mean(mx.argmax(model(states), axis=1) == classes)


@probe.correct
def descended():
    """Make what is good more likely."""
    return train(-1)


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP310"])
def sign_left_out():
    """Make it less likely."""
    return train(1)
