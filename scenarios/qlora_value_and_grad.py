"""`mx.value_and_grad` is given a quantised model.

Symptom: RuntimeError: no gradient with respect to the quantised weights.
Cause: `mx.value_and_grad` differentiates by every array of the model, the frozen 4-bit weights among them.
Fix: `nn.value_and_grad(model, loss_fn)`, which asks for the trainable parameters alone: the adapters.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _qlora_llama import build, next_token_loss, true_loss
from _tiny_llama import batch

from mlxprobe import Outcome, Scenario

STEPS = 40

probe = Scenario(documents=["004_5bdaaef4cda6c98e.txt"])
probe.score(true_loss)


@probe.correct
def nn_value_and_grad():
    """Differentiate by the adapters."""
    model, optimizer = build(), optim.AdamW(1e-2)
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model.trainable_parameters()


@probe.documented_fix(
    says="`mx.value_and_grad(loss_fn)(model)` trains the quantised model, once the loss is evaluated.",
    expects=Outcome.ERROR,
    raises="no gradient wrt the quantized weights",
)
def mx_value_and_grad():
    """Differentiate by the whole quantised model, as the document's repaired loop does."""
    model, optimizer = build(), optim.AdamW(1e-2)
    loss_and_grad = mx.value_and_grad(next_token_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model.trainable_parameters()


@probe.mitigation()
def mx_value_and_grad_of_the_adapters():
    """Differentiate by the adapters' tree, which the loss puts into the model."""
    model, optimizer = build(), optim.AdamW(1e-2)

    def loss_fn(adapters, tokens):
        model.update(adapters)
        return next_token_loss(model, tokens)

    loss_and_grad = mx.value_and_grad(loss_fn)
    for step in range(STEPS):
        adapters = model.trainable_parameters()
        loss, grads = loss_and_grad(adapters, batch(step)[0])
        model.update(optimizer.apply_gradients(grads, adapters))
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model.trainable_parameters()
