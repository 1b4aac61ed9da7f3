"""A training loop that evaluates nothing is put through the diagnostic tests one by one.

Symptom: the loop builds its gradient function anew every step, evaluates nothing, and freezes at the first value read.
Cause: the update is never evaluated. Clearing the cache frees buffers, not the graph; a function that is built once
    makes the same graph. To leave the update out ends the freeze, and the training with it: that test convicts
    the optimizer, which is innocent.
Fix: keep the update and evaluate it: `mx.eval(model.parameters(), optimizer.state)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS = 60
LAZY_STEPS = 600  # a step that evaluates nothing takes a millisecond; the first value that is read pays for all

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


@probe.broken(claims=Outcome.HANG, says="Training hangs.", expects=Outcome.HANG, finds=["MP101", "MP102"])
def nothing_evaluated():
    """Update every step, and read the loss after the last."""
    model, optimizer = build()
    for step in range(LAZY_STEPS):
        loss, grads = nn.value_and_grad(model, combined_loss)(model, *batch(step))
        optimizer.update(model, grads)
    loss.item()
    return model


@probe.mitigation(
    claims=Outcome.PASS,
    says="Test 1: clearing the cache forces MLX to rebuild its graphs, and all ten steps complete.",
    expects=Outcome.HANG,
    finds=["MP101", "MP102"],
)
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
    claims=Outcome.PASS,
    says="Test 2: without the update all steps complete, which lays the blame on the optimizer.",
    expects=Outcome.NO_LEARNING,
)
def update_left_out():
    """Test 2: compute the gradients, and leave the update out."""
    model, _ = build()
    for step in range(LAZY_STEPS):
        loss, grads = nn.value_and_grad(model, combined_loss)(model, *batch(step))
    loss.item()
    return model


@probe.mitigation(
    claims=Outcome.PASS,
    says="A value_and_grad that is created once and used again may be the solution.",
    expects=Outcome.HANG,
    finds=["MP101", "MP102"],
)
def gradient_function_reused():
    """Test 3: build the gradient function once."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(LAZY_STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
    loss.item()
    return model
