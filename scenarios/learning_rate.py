"""The optimizer's rate is not the one that was meant.

Symptom: training stops before it is done, is done at a rate that was not meant, or its last update makes every weight
    NaN after losses that were all fine; nothing is raised.
Cause: the schedule is built and a constant handed over; it counts iterations where updates are fewer; it is over long
    before the run is; or a warm-up as long as the run leaves 0/0 for its last update.
Fix: `optim.AdamW(learning_rate=schedule)`, with every length in updates, and look at `optimizer.learning_rate`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import VOCABULARY, batch, next_token_loss
from mlx.utils import tree_map

from mlxprobe import Outcome, Scenario

STEPS, PER_UPDATE = 160, 4
RATE = 0.3

probe = Scenario(tolerance=1e-3)


@probe.score
def held_out_loss(model):
    """Return the loss on batches that no variant trains on."""
    return sum(next_token_loss(model, batch(1000 + k)[0]).item() for k in range(4)) / 4


def train(rate, per_update=PER_UPDATE):
    """Train a bigram table, with the mean of several iterations' gradients in each update."""
    mx.random.seed(0)
    model = nn.Embedding(VOCABULARY, VOCABULARY)
    optimizer = optim.Adam(learning_rate=rate)
    loss_and_grad, total = nn.value_and_grad(model, next_token_loss), None
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        total = grads if total is None else tree_map(mx.add, total, grads)
        if (step + 1) % per_update == 0:
            optimizer.update(model, tree_map(lambda grad: grad / per_update, total))
            total = None
        mx.eval(loss, model.parameters(), optimizer.state, total or [])
        loss.item()
    return model


@probe.correct
def schedule_in_updates():
    """Decay the rate over the run's updates."""
    return train(optim.cosine_decay(RATE, STEPS // PER_UPDATE))


@probe.broken(expects=Outcome.WRONG, finds=["MP210"])
def schedule_never_given():
    """Build the schedule, and hand its first rate to the optimizer."""
    optim.cosine_decay(RATE, STEPS // PER_UPDATE)
    return train(RATE)


@probe.broken(expects=Outcome.WRONG, finds=["MP210"])
def schedule_in_iterations():
    """Let the schedule take as many updates as there are iterations."""
    return train(optim.cosine_decay(RATE, STEPS))


@probe.broken(expects=Outcome.WRONG, finds=["MP210"])
def schedule_over_early():
    """Decay over an eighth of the run."""
    return train(optim.cosine_decay(RATE, STEPS // PER_UPDATE // 8))


@probe.broken(expects=Outcome.NAN, finds=["MP210"])
def warmup_as_long_as_the_run():
    """Warm up for all updates but the last, whose decay takes no time at all: 0/0."""
    last = STEPS // PER_UPDATE - 1
    return train(lambda step: mx.where(step < last, RATE * step / last, RATE * (step - last) / (step - last)))
