"""The batch grows with every step.

Symptom: steps get slower and memory grows, although everything is evaluated.
Cause: an on-policy buffer, or a history, that is filled and never emptied.
Fix: clear it after the update, or draw a batch of fixed size from it.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, held_out_loss, next_token_loss

from mlxprobe import Outcome, Scenario

probe = Scenario()
probe.score(held_out_loss)


def train(keep):
    """Train on the last `keep` batches of the buffer; all of them where it is None."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    buffer = []
    for step in range(40):
        buffer = [*buffer, batch(step)[0]][-keep:] if keep else [*buffer, batch(step)[0]]
        loss, grads = loss_and_grad(model, mx.concatenate(buffer))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def buffer_emptied():
    """Learn from the newest batch."""
    return train(keep=1)


@probe.broken(expects=Outcome.PASS, finds=["MP109"], comparable=False)
def buffer_kept():
    """Learn from all batches so far, every step."""
    return train(keep=None)
