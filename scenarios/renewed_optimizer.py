"""The optimizer is made anew while its model goes on.

Symptom: nothing is raised, and on this easy task the loss falls all the same; the weights end 0.3 of their norm away.
Cause: Adam's moments start from zero in each new optimizer: its updates are all of the same size, whatever the
    gradients were before.
Fix: make the optimizer once, beside the model, and hand it to whatever trains an epoch.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import VOCABULARY, batch, next_token_loss

from mlxprobe import Outcome, Scenario

EPOCHS, STEPS = 12, 5

probe = Scenario(tolerance=1e-3)


@probe.score
def held_out_loss(model):
    """Return the loss on batches that no variant trains on."""
    return sum(next_token_loss(model, batch(1000 + k)[0]).item() for k in range(4)) / 4


def build():
    mx.random.seed(0)
    return nn.Sequential(nn.Embedding(VOCABULARY, 32), nn.Linear(32, VOCABULARY))


def step(model, optimizer, number):
    loss, grads = nn.value_and_grad(model, next_token_loss)(model, batch(number)[0])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    loss.item()


@probe.correct
def made_once():
    """Make one optimizer, and train all epochs with it."""
    model, optimizer = build(), optim.Adam(learning_rate=0.02)
    for number in range(EPOCHS * STEPS):
        step(model, optimizer, number)
    return model


@probe.broken(expects=Outcome.WRONG, finds=["MP402"])
def made_every_epoch():
    """Make an optimizer in the function that trains an epoch."""
    model = build()

    def train_epoch(epoch):
        optimizer = optim.Adam(learning_rate=0.02)
        for number in range(epoch * STEPS, (epoch + 1) * STEPS):
            step(model, optimizer, number)

    for epoch in range(EPOCHS):
        train_epoch(epoch)
    return model


@probe.broken(expects=Outcome.WRONG, finds=["MP402"])
def made_every_step():
    """Make an optimizer for each update."""
    model = build()
    for number in range(EPOCHS * STEPS):
        step(model, optim.Adam(learning_rate=0.02), number)
    return model
