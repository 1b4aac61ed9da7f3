"""Gradients are taken with `mx.value_and_grad` where `nn.value_and_grad` belongs.

Symptom: the gradient norm reads 0.00 and the loss stays; or training works, and the frozen weights move with it.
Cause: `mx.value_and_grad` differentiates by its first argument and nothing else. A parameter tree that the loss does
    not use has gradient 0, without an error. A module is a tree of all its parameters, frozen or not.
Fix: `nn.value_and_grad(model, loss_fn)`, which puts the trainable parameters, and only these, into the model.
"""

import mlx.core as mx
import mlx.nn as nn
from _time_series_lm import answer_loss, batch, build, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS = 30

probe = Scenario(documents=["003_a039be727e17cf61.txt"])
probe.score(held_out_loss)


@probe.correct
def nn_value_and_grad():
    """Take gradients of the module's trainable parameters."""
    model, optimizer = build()
    model.llm.freeze()
    loss_and_grad = nn.value_and_grad(model, answer_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(
    claims=Outcome.NO_LEARNING,
    says="`mx.value_and_grad` over the trainable parameters left the gradient norm at 0.00.",
    expects=Outcome.NO_LEARNING,
    finds=["MP201", "MP306"],
)
def over_a_tree_the_loss_ignores():
    """Differentiate by a parameter tree, with a loss that asks the model instead."""
    model, optimizer = build()
    model.llm.freeze()
    loss_and_grad = mx.value_and_grad(lambda parameters, series, answer: answer_loss(model, series, answer))
    for step in range(STEPS):
        loss, grads = loss_and_grad(model.trainable_parameters(), *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(claims=Outcome.WRONG, says="It is not for modules.", expects=Outcome.WRONG, finds=["MP202"])
def over_the_module_itself():
    """Differentiate by the module, a part of which is frozen."""
    model, optimizer = build()
    model.llm.freeze()
    loss_and_grad = mx.value_and_grad(answer_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.mitigation()
def over_a_tree_put_into_the_model():
    """Differentiate by a parameter tree, with a loss that puts it into the model first."""
    model, optimizer = build()
    model.llm.freeze()
    loss_and_grad = mx.value_and_grad(lambda parameters, *data: answer_loss(model.update(parameters), *data))
    for step in range(STEPS):
        loss, grads = loss_and_grad(model.trainable_parameters(), *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model
