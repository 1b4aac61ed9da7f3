"""The last update makes all weights NaN, and they are stored.

Symptom: every loss that was printed is fine; the model that was stored answers NaN to everything.
Cause: no loss is computed after the last update. Here the warm-up is as long as the run, and the schedule divides 0 by
    0 for that update.
Fix: look at what is to be stored, and keep the file before it; a warm-up that ends before the run does.
"""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import VOCABULARY, batch, next_token_loss

from mlxprobe import Outcome, Scenario

STEPS, RATE = 40, 0.3

probe = Scenario()


def schedule(warmup):
    """Return a rate that rises over a warm-up, and falls to 0 over the rest."""
    return lambda step: RATE * mx.where(step < warmup, step / warmup, 1 - (step - warmup) / (STEPS - 1 - warmup))


def train(warmup):
    """Train a bigram table and store it; return what the file has."""
    mx.random.seed(0)
    model = nn.Embedding(VOCABULARY, VOCABULARY)
    optimizer = optim.Adam(learning_rate=schedule(warmup))
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "weights.safetensors")
        model.save_weights(file)
        stored = mx.load(file)
        mx.eval(stored)
    return stored


@probe.correct
def short_warmup():
    """Warm up over a quarter of the run."""
    return train(STEPS // 4)


@probe.broken(expects=Outcome.NAN, finds=["MP210", "MP404"])
def warmup_as_long_as_the_run():
    """Warm up over all updates but the last, whose decay takes no time at all."""
    return train(STEPS - 1)
