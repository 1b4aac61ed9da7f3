"""Everything is frozen, and nothing is left to train.

Symptom: `nn.value_and_grad` raises `Must specify at least one argument`; where something beside the parameters is
    differentiated too, nothing is raised, and the model stays as it was.
Cause: `freeze()` reaches every module below. `unfreeze(keys=...)` wants the names of parameters (`weight`, `lora_a`)
    and passes over all others, a layer's name among them, without a word.
Fix: `model.lm_head.unfreeze()`; then look at `model.trainable_parameters()`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import WIDTH, batch, build, held_out_loss, next_token_loss

from mlxprobe import Outcome, Scenario

STEPS = 60

probe = Scenario()
probe.score(lambda trained: held_out_loss(trained["model"]))


def frozen_llama():
    model, optimizer = build(learning_rate=0.05)
    model.freeze()
    return model, optimizer


def train(model, optimizer):
    """Train what is not frozen, and beside it a vector that shifts what the head reads."""

    def loss_fn(parameters, shift, tokens):
        model.update(parameters)
        logits = model.lm_head(model.hidden(tokens[:, :-1]) + shift)
        return nn.losses.cross_entropy(logits, tokens[:, 1:], reduction="mean")

    loss_and_grad, shift = mx.value_and_grad(loss_fn, argnums=(0, 1)), mx.zeros(WIDTH)
    for step in range(STEPS):
        loss, (grads, towards) = loss_and_grad(model.trainable_parameters(), shift, batch(step)[0])
        optimizer.update(model, grads)
        shift = shift - 0.01 * towards
        mx.eval(loss, shift, model.parameters(), optimizer.state)
        loss.item()
    return {"model": model, "shift": shift}


@probe.correct
def head_unfrozen():
    """Freeze all, then unfreeze the head."""
    model, optimizer = frozen_llama()
    model.lm_head.unfreeze()
    return train(model, optimizer)


@probe.broken(expects=Outcome.ERROR, raises="Must specify at least one argument", finds=["MP206"])
def nothing_unfrozen():
    """Freeze all, and take the gradient of the model alone."""
    model, optimizer = frozen_llama()
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, batch(step)[0])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return {"model": model}


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP206", "MP306"])
def layer_named_as_key():
    """Freeze all, then unfreeze by the head's own name."""
    model, optimizer = frozen_llama()
    model.unfreeze(keys=["lm_head"])
    return train(model, optimizer)


@probe.mitigation(expects=Outcome.ERROR, raises="KeyError")
def refused_by_strict():
    """Unfreeze by the head's path with `strict=True`, which wants keys that every module has."""
    model, optimizer = frozen_llama()
    model.unfreeze(keys=["lm_head.weight"], strict=True)
    return train(model, optimizer)
