"""The gradient function is built anew every step.

Symptom: none. Losses and parameters are those of a function built once, to the last bit, at the same speed.
Cause: a graph keeps the very arrays it was built over. An update binds or writes new ones, and an old graph that is
    evaluated late still gives the old parameters' loss: nothing of it can be corrupted.
Fix: none is needed. Look for the hang in what is never evaluated, not in how often `value_and_grad` is called.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss, held_out_loss
from mlx.utils import tree_flatten

from mlxprobe import Outcome, Scenario

STEPS = 60
CORRUPTION = "A new value_and_grad over parameters changed in place corrupts the old graph, which deadlocks."

probe = Scenario(documents=["001_5a8363591f943652.txt"], tolerance=1e-6)
probe.score(held_out_loss)


@probe.correct
def built_once():
    """Build the gradient function once, and evaluate after each update."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        loss.item()
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return model


@probe.broken(claims=Outcome.HANG, says=CORRUPTION, expects=Outcome.PASS)
def rebuilt_every_step():
    """Build the gradient function anew every step, over the parameters just updated."""
    model, optimizer = build()
    for step in range(STEPS):
        loss_and_grad = nn.value_and_grad(model, combined_loss)
        loss, grads = loss_and_grad(model, *batch(step))
        loss.item()
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return model


@probe.broken(claims=Outcome.HANG, says=CORRUPTION, expects=Outcome.PASS)
def old_graph_evaluated_after_the_update():
    """Evaluate each loss, and nothing else, once its parameters are updated and the next function is built."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        loss_and_grad = nn.value_and_grad(model, combined_loss)
        loss.item()
    return model


@probe.broken(claims=Outcome.HANG, says=CORRUPTION, expects=Outcome.PASS)
def parameters_overwritten_in_place():
    """Write each update into the very arrays that the old graph was built over, and then evaluate its loss."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        updated = dict(tree_flatten(optimizer.apply_gradients(grads, model)))
        for name, parameter in tree_flatten(model.parameters()):
            parameter[:] = updated[name]
        loss_and_grad = nn.value_and_grad(model, combined_loss)
        loss.item()
    return model
