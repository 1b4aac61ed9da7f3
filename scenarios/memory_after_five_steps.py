"""Memory grows with every step that evaluates nothing.

Symptom: resident memory rises by the same amount every step, until the system ends the program.
Cause: the lazy graph keeps each step's operations, and every batch they read, until something evaluates them.
Fix: `mx.eval(model.parameters(), optimizer.state)` after each update. It is the evaluation that frees the graph;
    `mx.clear_cache()` returns buffers that the next step asks for again.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS = 50
LAYERS = 6

probe = Scenario(documents=["000_4149ee8ead452f99.txt"], memory_factor=1.5)
probe.score(held_out_loss)


@probe.correct
def evaluated():
    """Evaluate parameters and optimizer state after each update."""
    model, optimizer = build(layers=LAYERS)
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(
    claims=Outcome.MEMORY,
    says="Without evaluation, memory runs out after five steps.",
    expects={"cpu": Outcome.MEMORY, "gpu": Outcome.PASS},
    finds=["MP101"],
)
def not_evaluated():
    """Evaluate nothing, while each step brings a new batch."""
    model, optimizer = build(layers=LAYERS)
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
    loss.item()
    return model


@probe.broken(
    claims=Outcome.MEMORY,
    says="The loop before its repair, which read its losses, ran out of memory after five steps.",
    expects=Outcome.PASS,
)
def only_the_loss_evaluated():
    """Evaluate the loss alone, as the trainer did before its repair."""
    model, optimizer = build(layers=LAYERS)
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        loss.item()
    return model


@probe.documented_fix(says="Evaluating parameters and state, then clearing the cache, keeps memory stable.")
def evaluated_and_cache_cleared():
    """Evaluate parameters and optimizer state, then clear MLX's cache."""
    model, optimizer = build(layers=LAYERS)
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        mx.clear_cache()
        loss.item()
    return model
