"""The items of `tree_flatten` are taken for arrays.

Symptom: the log says "0 trainable parameters" and "gradient norm 0.00", and training is searched for a fault that it
    does not have: the loss falls all the same.
Cause: `tree_flatten` gives pairs of path and value; a test for arrays skips them all. And once they are unpacked, a
    quantised layer counts too low: each element of its array holds eight weights of 4 bits.
Fix: `for _, value in tree_flatten(tree)`; count `size * 32 // bits` weights of a quantised layer.
"""

import math

import mlx.core as mx
import mlx.nn as nn
from _time_series_lm import answer_loss, batch, build
from mlx.utils import tree_flatten

from mlxprobe import Outcome, Scenario

STEPS = 10

probe = Scenario(documents=["003_a039be727e17cf61.txt"])


def quantised_model():
    """Build the model with a frozen Llama of 4-bit weights."""
    model, optimizer = build()
    nn.quantize(model.llm, group_size=32, bits=4)
    model.llm.freeze()
    return model, optimizer


def train(model, optimizer, norm_of):
    """Train, and return the gradient norms that the log shows."""
    loss_and_grad, norms = nn.value_and_grad(model, answer_loss), []
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        norms.append(norm_of(grads))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return norms


@probe.correct
def pairs_unpacked_and_weights_counted():
    """Take the value of each pair, and count a quantised layer by its bits."""
    model, optimizer = quantised_model()
    trained = sum(value.size for _, value in tree_flatten(model.trainable_parameters()))
    layers = [layer for _, layer in tree_flatten(model.llm.leaf_modules(), is_leaf=nn.Module.is_module)]
    frozen = sum(layer.weight.size * 32 // getattr(layer, "bits", 32) for layer in layers if "weight" in layer)
    norms = train(model, optimizer, lambda tree: math.sqrt(sum((g * g).sum().item() for _, g in tree_flatten(tree))))
    return {"trained": trained, "frozen": frozen, "norms": norms}


def arrays_in(tree):
    return [item for item in tree_flatten(tree) if isinstance(item, mx.array)]


@probe.broken(claims=Outcome.WRONG, says="With pairs taken for arrays the norm reads 0.00.", expects=Outcome.WRONG)
def pairs_taken_for_arrays():
    """Keep those items of the flattened tree that are arrays."""
    model, optimizer = quantised_model()
    trained = sum(value.size for value in arrays_in(model.trainable_parameters()))
    frozen = sum(value.size for value in arrays_in(model.llm.parameters()))
    norms = train(model, optimizer, lambda tree: math.sqrt(sum((g * g).sum().item() for g in arrays_in(tree))))
    return {"trained": trained, "frozen": frozen, "norms": norms}


@probe.documented_fix(
    says="With the pairs unpacked the counts are right: 193,153,024 frozen parameters in a Llama of one billion.",
    expects=Outcome.WRONG,
)
def pairs_unpacked():
    """Take the value of each pair, and count elements, packed or not."""
    model, optimizer = quantised_model()
    trained = sum(value.size for _, value in tree_flatten(model.trainable_parameters()))
    frozen = sum(value.size for _, value in tree_flatten(model.llm.parameters()))
    norms = train(model, optimizer, lambda tree: math.sqrt(sum((g * g).sum().item() for _, g in tree_flatten(tree))))
    return {"trained": trained, "frozen": frozen, "norms": norms}
