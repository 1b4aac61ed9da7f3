"""Diagnostic tests are run, one by one, on a loop that evaluates nothing.

Symptom: the loop builds its gradient function anew every step, evaluates nothing, and freezes at the first value read.
Cause: the update is never evaluated. Clearing the cache frees buffers, not the graph; a function built once makes the
    same graph. Without the update nothing freezes and nothing is learned: that test convicts an innocent optimizer.
Fix: keep the update and evaluate it: `mx.eval(model.parameters(), optimizer.state)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS, LAZY_STEPS = 60, 600  # a step that evaluates nothing takes a millisecond; the first value read pays for all
FREEZES = {"cpu": Outcome.HANG, "gpu": Outcome.PASS}  # a large GPU runs all those steps in a second or two
STALL = ["MP101", "MP102"]

probe = Scenario(documents=["001_5a8363591f943652.txt"])
probe.score(held_out_loss)


@probe.correct
def update_evaluated():
    """Evaluate what the update changed."""
    model, optimizer = build()
    for step in range(STEPS):
        loss, grads = nn.value_and_grad(model, combined_loss)(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(claims=Outcome.HANG, says="Its second step hangs.", expects=FREEZES, finds=STALL, comparable=False)
def nothing_evaluated():
    """Update every step, and read the loss after the last."""
    model, optimizer = build()
    for step in range(LAZY_STEPS):
        loss, grads = nn.value_and_grad(model, combined_loss)(model, *batch(step))
        optimizer.update(model, grads)
    loss.item()
    return model


@probe.mitigation(claims=Outcome.PASS, says="All steps complete.", expects=FREEZES, finds=STALL, comparable=False)
def cache_cleared():
    """Test 1: clear MLX's cache after each update."""
    model, optimizer = build()
    for step in range(LAZY_STEPS):
        loss, grads = nn.value_and_grad(model, combined_loss)(model, *batch(step))
        optimizer.update(model, grads)
        mx.clear_cache()
    loss.item()
    return model


@probe.mitigation(
    claims=Outcome.PASS, says="All steps complete: the update corrupts.", expects=Outcome.NO_LEARNING, finds=["MP205"]
)
def update_left_out():
    """Test 2: compute the gradients, and leave the update out."""
    model, _ = build()
    for step in range(LAZY_STEPS):
        loss, _ = nn.value_and_grad(model, combined_loss)(model, *batch(step))
    loss.item()
    return model


@probe.mitigation(claims=Outcome.PASS, says="It may be the cure.", expects=FREEZES, finds=STALL, comparable=False)
def gradient_function_reused():
    """Test 3: build the gradient function once."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(LAZY_STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
    loss.item()
    return model
