"""Gradients are not clipped.

Symptom: at a learning rate that clipped training bears well, gradients explode within ten steps and are then exactly
    zero: every prediction is uniform, and the loss stands at ln(vocabulary) for ever, finite and without an error.
Cause: SGD's step is as long as its gradient. AdamW's is not, and hardly notices whether gradients are clipped.
Fix: `grads, norm = optim.clip_grad_norm(grads, max_norm)`. It is lazy: the update must still be evaluated.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _tiny_llama import batch, build, combined_loss, held_out_loss
from mlx.utils import tree_flatten, tree_map

from mlxprobe import Outcome, Scenario

STEPS, LAZY_STEPS = 60, 600
MAX_NORM = 0.1  # the norm exceeds it in 50 of the correct loop's 60 steps
FREEZES = {"cpu": Outcome.HANG, "gpu": Outcome.PASS}  # a large GPU runs all those steps in a second or two

probe = Scenario(documents=["000_4149ee8ead452f99.txt"], tolerance=1e-3)
probe.score(held_out_loss)


def gradients(steps):
    """Compute one step's gradients after another; clip, update and evaluation are the variant's."""
    model, _ = build()
    optimizer = optim.SGD(learning_rate=6.0)
    for step in range(steps):
        loss, grads = nn.value_and_grad(model, combined_loss)(model, *batch(step))
        yield model, optimizer, loss, grads


@probe.correct
def norm_clipped():
    """Clip the gradients' global norm before the update."""
    for model, optimizer, loss, grads in gradients(STEPS):
        clipped, _ = optim.clip_grad_norm(grads, MAX_NORM)
        optimizer.update(model, clipped)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(expects={"cpu": Outcome.NO_LEARNING, "gpu": Outcome.NAN}, finds=["MP208"])
def not_clipped():
    """Update with the gradients as they are."""
    for model, optimizer, loss, grads in gradients(STEPS):
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.broken(expects=FREEZES, finds=["MP101", "MP102"], comparable=False)
def clipped_but_never_evaluated():
    """Scale the gradients, and leave clipping and update unevaluated until the last loss is read."""
    for model, optimizer, loss, grads in gradients(LAZY_STEPS):
        clipped, _ = optim.clip_grad_norm(grads, MAX_NORM)
        optimizer.update(model, clipped)
    loss.item()
    return model


@probe.documented_fix(says="With clipping restored, the update evaluated and the cache cleared, training works.")
def norm_read_and_scaled_by_hand():
    """Clip by hand: read the norm as a number, scale by it, evaluate the update, clear the cache."""
    for model, optimizer, loss, grads in gradients(STEPS):
        norm = mx.sqrt(sum(mx.sum(mx.square(grad)) for _, grad in tree_flatten(grads))).item()
        scale = min(1.0, MAX_NORM / norm)
        optimizer.update(model, tree_map(lambda grad, scale=scale: grad * scale, grads))
        mx.eval(model.parameters(), optimizer.state)
        mx.clear_cache()
        loss.item()
    return model
