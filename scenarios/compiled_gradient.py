"""A compiled gradient function is not told of the weights that it is to differentiate.

Symptom: training runs, every gradient is plausible, and the loss never comes near where it should; a compiled
    validation loss is the same number after every epoch.
Cause: `mx.compile` keeps what a function reads, and was not told of, as a constant of its trace. The optimizer changes
    the weights outside; the compiled function goes on with the first ones.
Fix: `mx.compile(…, inputs=model.state)`, or compile the whole step with all its state as inputs and outputs.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _deep_linear import WIDTH, batches, squared_error

from mlxprobe import Outcome, Scenario

probe = Scenario()


def pieces():
    mx.random.seed(0)
    model = nn.Linear(WIDTH, WIDTH, bias=False)
    mx.eval(model.parameters())
    return model, optim.SGD(0.02)


def train(model, optimizer, gradient):
    """Update by gradients that `gradient` computes of the model's weights."""
    for x, y in batches():
        loss, grads = gradient(x, y)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


def gradient_of(model):
    """Return loss and gradients of the model's weights, and leave the model as it is."""

    def gradient(x, y):
        weights = model.trainable_parameters()
        loss, grads = nn.value_and_grad(model, squared_error)(model, x, y)
        model.update(weights)
        return loss, grads

    return gradient


@probe.correct
def weights_among_the_inputs():
    """Compile the gradient with the model's state as its input."""
    model, optimizer = pieces()
    return train(model, optimizer, mx.compile(gradient_of(model), inputs=model.state))


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP306", "MP504"])
def weights_left_out():
    """Compile the gradient as it is."""
    model, optimizer = pieces()
    return train(model, optimizer, mx.compile(gradient_of(model)))


@probe.mitigation()
def gradient_not_compiled():
    """Compute the gradient without compilation."""
    model, optimizer = pieces()
    return train(model, optimizer, gradient_of(model))
