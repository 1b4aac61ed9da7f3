"""Only the loss of a step is evaluated: its update waits for the next step.

Symptom: the first step looks fast; each later one pays for the one before, and the last update is never paid for.
Cause: `mx.eval(loss)` needs the gradients' forward pass alone; parameters and optimizer state stay descriptions.
Fix: evaluate the update with the loss: `mx.eval(loss, model.parameters(), optimizer.state)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, held_out_loss, next_token_loss

from mlxprobe import Outcome, Scenario

probe = Scenario()
probe.score(held_out_loss)


def train(evaluate):
    """Train, evaluating what a variant evaluates."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    for step in range(40):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        evaluate(loss, model, optimizer)
        loss.item()
    return model


@probe.correct
def update_evaluated():
    """Evaluate loss, parameters and state."""
    return train(lambda loss, model, optimizer: mx.eval(loss, model.parameters(), optimizer.state))


@probe.broken(expects=Outcome.PASS, finds=["MP106"])
def loss_evaluated():
    """Evaluate the loss alone: the same weights, at other times."""
    return train(lambda loss, model, optimizer: mx.eval(loss))
