"""Losses are kept as arrays that are never evaluated.

Symptom: memory grows by one batch of logits a step, although parameters and optimizer state are evaluated.
Cause: an unevaluated loss keeps alive what it is to be computed from: logits of (batch, length, vocabulary).
Fix: keep `loss.item()`, a number, in place of the array.
"""

import mlx.core as mx
from _qlora_llama import start, true_loss
from _tiny_llama import batch

from mlxprobe import Outcome, Scenario

STEPS = 64
BATCH = 8
VOCABULARY = 2048  # as with any large vocabulary, the logits are a step's largest array
GROWS = {"cpu": Outcome.MEMORY, "gpu": Outcome.PASS}  # 33 MB in all: too little to count on a GPU
BUILD_UP = "Unevaluated losses build up in memory."

probe = Scenario(documents=["004_5bdaaef4cda6c98e.txt"], memory_factor=1)
probe.score(true_loss)


@probe.correct
def item_every_step():
    """Keep the number that each loss is."""
    model, optimizer, loss_and_grad = start(vocabulary=VOCABULARY)
    losses = []
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step, BATCH)[0])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        losses.append(loss.item())
    return model.trainable_parameters()


@probe.broken(claims=Outcome.MEMORY, says=BUILD_UP, expects=GROWS, finds=["MP103", "MP105"])
def appended_unevaluated():
    """Keep each loss as it comes, and evaluate them all after the last step."""
    model, optimizer, loss_and_grad = start(vocabulary=VOCABULARY)
    losses = []
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step, BATCH)[0])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss)
    losses = [loss.item() for loss in losses]
    return model.trainable_parameters()


@probe.broken(claims=Outcome.MEMORY, says=BUILD_UP, expects=GROWS, finds=["MP103", "MP105"])
def summed_unevaluated():
    """Add each loss to a running sum that is evaluated after the last step."""
    model, optimizer, loss_and_grad = start(vocabulary=VOCABULARY)
    total = mx.array(0.0)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step, BATCH)[0])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        total = total + loss
    total.item()
    return model.trainable_parameters()


@probe.documented_fix(says="Force the evaluation of each loss, then convert it to float.")
def float_every_step():
    """Add `float(loss)` to a running sum."""
    model, optimizer, loss_and_grad = start(vocabulary=VOCABULARY)
    total = 0.0
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step, BATCH)[0])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        total += float(loss)
    return model.trainable_parameters()
