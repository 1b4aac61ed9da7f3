"""Gradients are computed and never reach the parameters.

Symptom: the loss stays where it began, at about ln(vocabulary), with no error and at the usual speed.

Cause: computing gradients changes nothing, and `optimizer.apply_gradients` returns the new parameters without
    storing them.

Fix: `optimizer.update(model, grads)`, or `model.update(optimizer.apply_gradients(grads, model))`.
Limits: its NumPy reference computes AdamW without correction of bias alone.
"""

import mlx.core as mx
from _bigram import STEPS, build, train_in_numpy
from _tiny_llama import batch, held_out_loss

from mlxprobe import Outcome, Scenario

probe = Scenario(documents=["002_da2a91385045b159.txt"])
probe.score(held_out_loss)


@probe.correct
def updated():
    """Let the optimizer update the model."""
    model, optimizer, loss_and_grad = build()
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.reference
def numpy_float64():
    """Train the same model in NumPy, gradient and optimizer written by hand."""
    return {"weight": train_in_numpy()}


@probe.broken(
    claims=Outcome.NO_LEARNING,
    says="While the optimizer is not connected, gradients update no parameter.",
    expects=Outcome.NO_LEARNING,
    finds=["MP205", "MP306"],
)
def never_applied():
    """Compute and evaluate the gradients, and leave it at that."""
    model, _, loss_and_grad = build()
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        mx.eval(loss, grads)
        loss.item()
    return model


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP205", "MP306"])
def result_dropped():
    """Call `apply_gradients` and drop the parameters that it returns."""
    model, optimizer, loss_and_grad = build()
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.apply_gradients(grads, model)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.documented_fix(says="Calling `optimizer.update` with the gradients connects the optimizer.")
def updated_without_evaluation():
    """Let the optimizer update the model and read the loss, as the document does, but evaluate nothing else."""
    model, optimizer, loss_and_grad = build()
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        loss.item()
    return model
