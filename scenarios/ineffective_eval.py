"""`mx.eval` is called every step and evaluates nothing.

Symptom: the loop looks right, its first steps return at once, and it freezes at the first value that is read.
Cause: `mx.eval` looks for arrays in lists, tuples, dicts and modules, and passes over all else without a word: a bound
    method, a generator, a dict's view, an optimizer; `*model.parameters()` hands it names.
Fix: `mx.eval(model.parameters(), optimizer.state)`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss, held_out_loss
from mlx.utils import tree_flatten

from mlxprobe import Outcome, Scenario

STEPS, LAZY_STEPS = 60, 1000  # lazy steps take a millisecond each; the first value read pays for all
FREEZES, FOUND = {"cpu": Outcome.HANG, "gpu": Outcome.PASS}, ["MP101", "MP102", "MP104"]  # a large GPU is fast enough

probe = Scenario()
probe.score(held_out_loss)


def train(steps, evaluate):
    """Update every step, let `evaluate` do what it does, and read the loss after the last step."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, combined_loss)
    for step in range(steps):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        evaluate(model, optimizer)
    loss.item()
    return model


@probe.correct
def parameters_and_state():
    """Give `mx.eval` the parameters and the optimizer's state."""
    return train(STEPS, lambda model, optimizer: mx.eval(model.parameters(), optimizer.state))


@probe.broken(expects=FREEZES, finds=FOUND, comparable=False)
def bound_method():
    """Forget to call `parameters`, and give the optimizer in place of its state."""
    return train(LAZY_STEPS, lambda model, optimizer: mx.eval(model.parameters, optimizer))


@probe.broken(expects=FREEZES, finds=FOUND, comparable=False)
def generator():
    """Give a generator of all parameters."""
    return train(LAZY_STEPS, lambda model, _: mx.eval(value for _, value in tree_flatten(model.parameters())))


@probe.broken(expects=FREEZES, finds=FOUND, comparable=False)
def unpacked_dict():
    """Unpack the dict of parameters, which gives its keys."""
    return train(LAZY_STEPS, lambda model, _: mx.eval(*model.parameters()))


@probe.broken(expects=FREEZES, finds=FOUND, comparable=False)
def dict_values():
    """Give the view of the values of both dicts."""
    return train(LAZY_STEPS, lambda model, optimizer: mx.eval(model.parameters().values(), optimizer.state.values()))


@probe.mitigation()
def module_and_optimizer():
    """Give the module, which is a dict of its parameters, and the optimizer, which is none."""
    return train(STEPS, mx.eval)
