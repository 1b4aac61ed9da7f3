"""Parameters and optimizer state are never evaluated.

Symptom: the first steps return at once; then training freezes at the first value that is read, the longer the
    later it comes.
Cause: every update only adds operations to the lazy graph. The first evaluation must run all the steps before it.
Fix: evaluate what the update changed, once a step: `mx.eval(model.parameters(), optimizer.state)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS = 60
LAZY_STEPS = 300  # nothing slows a loop down that evaluates nothing: this many take about two seconds

probe = Scenario(documents=["000_4149ee8ead452f99.txt", "001_5a8363591f943652.txt"])
probe.score(held_out_loss)


@probe.correct
def parameters_and_state_evaluated():
    """Evaluate parameters and optimizer state after each update."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(
    claims=Outcome.HANG,
    says="Without evaluation the graph grows until training deadlocks on step 2.",
    expects=Outcome.HANG,
    finds=["MP101", "MP102"],
)
def nothing_evaluated():
    """Evaluate nothing until the loss is read after the last step."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(LAZY_STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
    loss.item()
    return model


@probe.broken(
    claims=Outcome.HANG,
    says="The original loop, which evaluates the loss but neither parameters nor state, hangs at step 2.",
    expects=Outcome.PASS,
)
def only_the_loss_evaluated():
    """Evaluate the loss alone, as the Rust trainer did before its repair."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        loss.item()
        optimizer.update(model, grads)
    return model
