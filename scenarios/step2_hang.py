"""Parameters and optimizer state are never evaluated.

Symptom: the first steps return at once; then training freezes at the first value that is read.
Cause: every update only adds operations to the lazy graph; the first evaluation must run all the steps before it.
Fix: evaluate what the update changed, once a step: `mx.eval(model.parameters(), optimizer.state)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS, LAZY_STEPS = 60, 600  # lazy steps take a millisecond each; the first value read pays for all
FREEZES, STALL = {"cpu": Outcome.HANG, "gpu": Outcome.PASS}, ["MP101", "MP102"]  # a large GPU is fast enough

probe = Scenario(documents=["000_4149ee8ead452f99.txt", "001_5a8363591f943652.txt"])
probe.score(held_out_loss)


def updates(steps):
    model, optimizer = build()
    for step in range(steps):
        loss, grads = nn.value_and_grad(model, combined_loss)(model, *batch(step))
        optimizer.update(model, grads)
        yield model, optimizer, loss  # what is evaluated then is all that the variants differ in


@probe.correct
def parameters_and_state_evaluated():
    """Evaluate parameters and optimizer state after each update."""
    for model, optimizer, loss in updates(STEPS):
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(claims=Outcome.HANG, says="Step 2 deadlocks.", expects=FREEZES, finds=STALL, comparable=False)
def nothing_evaluated():
    """Evaluate nothing until the loss is read after the last step."""
    for model, _, loss in updates(LAZY_STEPS):
        pass
    loss.item()
    return model


@probe.broken(claims=Outcome.HANG, says="The loop that evaluates only the loss hangs at step 2.", expects=Outcome.PASS)
def only_the_loss_evaluated():
    """Evaluate the loss alone, as the Rust trainer did before its repair."""
    for model, _, loss in updates(STEPS):
        loss.item()
    return model


@probe.broken(claims=Outcome.HANG, says="Without the state, step 2 deadlocks.", expects=Outcome.PASS)
def only_the_parameters_evaluated():
    """Evaluate the parameters, and leave the optimizer's state lazy."""
    for model, _, loss in updates(STEPS):
        mx.eval(model.parameters())
        loss.item()
    return model


@probe.broken(claims=Outcome.HANG, says="Without the parameters, step 2 deadlocks.", expects=Outcome.PASS)
def only_the_state_evaluated():
    """Evaluate the optimizer's state, and leave the parameters lazy."""
    for model, optimizer, loss in updates(STEPS):
        mx.eval(optimizer.state)
        loss.item()
    return model


@probe.documented_fix(says="Evaluating both, then clearing the cache, cures the hang and keeps memory stable.")
def both_evaluated_and_cache_cleared():
    """Evaluate parameters and optimizer state together, then clear MLX's cache."""
    for model, optimizer, loss in updates(STEPS):
        mx.eval(model.parameters(), optimizer.state)
        mx.clear_cache()
        loss.item()
    return model
