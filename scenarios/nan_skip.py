"""A loss that is not a number is skipped with `continue`, for ever.

Symptom: training runs to its end without an error, and from some step on does nothing at all.
Cause: one batch with a finite loss had NaN gradients (here 0/0 in a row without answer tokens, which `mx.where` hides
    from the loss alone). The update made every weight NaN, and no later batch can bring them back.
Fix: look at the gradients before the update; stop where the loss itself is not finite.
"""

import math

import mlx.core as mx
import mlx.nn as nn
from _qlora_llama import start, true_loss
from _tiny_llama import batch
from mlx.utils import tree_flatten

from mlxprobe import Outcome, Scenario

STEPS = 40
BAD_STEP = 10

probe = Scenario(documents=["004_5bdaaef4cda6c98e.txt"])
probe.score(true_loss)


def answers(step):
    """Return tokens, and a mask of those to learn; at one step, one row has none."""
    tokens = batch(step)[0]
    mask = mx.ones(tokens[:, 1:].shape)
    mask[2] = step != BAD_STEP
    return tokens, mask


def loss_fn(model, tokens, mask):
    """Average each row's loss over its answer, then the rows; one without an answer counts zero."""
    losses = mask * nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
    lengths = mask.sum(axis=1)
    return mx.mean(mx.where(lengths > 0, losses.sum(axis=1) / lengths, 0.0))


@probe.correct
def gradients_checked_before_the_update():
    """Skip a batch whose gradients are not finite."""
    model, optimizer, loss_and_grad = start(loss_fn)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *answers(step))
        loss.item()
        if not mx.isfinite(sum(grad.sum() for _, grad in tree_flatten(grads))):
            continue
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return model.trainable_parameters()


@probe.documented_fix(says="Skipping invalid losses with `continue` recovers.", expects=Outcome.NAN, finds=["MP207"])
def invalid_losses_skipped():
    """Skip a batch whose loss is NaN or huge, as the document's fix does."""
    model, optimizer, loss_and_grad = start(loss_fn)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *answers(step))
        loss_float = float(loss)
        if math.isnan(loss_float) or loss_float > 1e6:
            continue
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return model.trainable_parameters()


@probe.mitigation(expects=Outcome.ERROR, raises="FloatingPointError", finds=["MP207"])
def stopped_with_a_message():
    """Stop at the first loss that is not finite, and say what to look at."""
    model, optimizer, loss_and_grad = start(loss_fn)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *answers(step))
        if not mx.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}: look at the batch of step {step - 1}")
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return model.trainable_parameters()
