"""A compiled step is not told of the state that it trains.

Symptom: the first value that is read raises RuntimeError; or the loss never falls, without an error; or every step
    drops the same units; or compilation makes steps slower than they were.
Cause: `mx.compile` runs the step's Python once and replays what it saw. State that is not among `inputs` stays as it
    was then; state that is not among `outputs` is left a placeholder. Another Python number is another function.
Fix: `state = [model.state, optimizer.state, mx.random.state]`, compiled once with `inputs=state, outputs=state`.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

STEPS = 60
DEPTH, WIDTH = 12, 16

probe = Scenario(slow_factor=1.5)


class Training:
    """A deep linear network with dropout, its optimizer, and a step of them as it stands before compilation."""

    def __init__(self):
        mx.random.seed(0)
        self.model = nn.Sequential(nn.Dropout(0.1), *(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(DEPTH)))
        self.model.apply(lambda weight: mx.eye(WIDTH) + 0.02 * mx.random.normal(weight.shape))
        self.optimizer = optim.SGD(0.01)
        self.optimizer.init(self.model.trainable_parameters())
        self.state = [self.model.state, self.optimizer.state, mx.random.state]
        mx.eval(self.state)

    def step(self, x, y, number=0):
        loss, grads = nn.value_and_grad(self.model, squared_error)(self.model, x, y)
        self.optimizer.update(self.model, grads)
        return loss


def squared_error(model, x, y):
    error = (model(x) - y).flatten()
    return mx.inner(error, error) / len(x)


@probe.score
def true_loss(model):
    model.eval()
    return sum(squared_error(model, x, y).item() for x, y in batches()) / STEPS


def batches():
    """Yield inputs, and what an unknown linear map makes of them."""
    unknown = mx.random.normal((WIDTH, WIDTH), key=mx.random.key(0)) / WIDTH**0.5
    for step in range(STEPS):
        x = mx.random.normal((32, WIDTH), key=mx.random.key(1 + step))
        yield x, x @ unknown


def train(training, step_of):
    for number, (x, y) in enumerate(batches()):
        loss = step_of(number)(x, y)
        mx.eval(loss, training.model.parameters(), training.optimizer.state)
        loss.item()
    return training.model


@probe.correct
def all_state_captured():
    """Compile once, with all state as inputs and outputs."""
    training = Training()
    step = mx.compile(training.step, inputs=training.state, outputs=training.state)
    return train(training, lambda number: step)


@probe.broken(expects=Outcome.ERROR, raises="Attempting to eval an array without a primitive")
def nothing_captured():
    """Compile the step as it is."""
    training = Training()
    step = mx.compile(training.step)
    return train(training, lambda number: step)


@probe.broken(expects=Outcome.NO_LEARNING)
def outputs_alone_captured():
    """Name the state among the outputs, and forget the inputs."""
    training = Training()
    step = mx.compile(training.step, outputs=training.state)
    return train(training, lambda number: step)


@probe.broken(expects=Outcome.WRONG)
def random_state_forgotten():
    """Leave the state of the random numbers out."""
    training = Training()
    step = mx.compile(training.step, inputs=training.state[:2], outputs=training.state[:2])
    return train(training, lambda number: step)


@probe.broken(expects=Outcome.SLOW)
def compiled_inside_the_loop():
    """Call `mx.compile` anew every step."""
    training = Training()
    return train(training, lambda number: mx.compile(training.step, inputs=training.state, outputs=training.state))


@probe.broken(expects=Outcome.SLOW)
def number_among_the_arguments():
    """Hand the step its number, a Python int."""
    training = Training()
    step = mx.compile(training.step, inputs=training.state, outputs=training.state)
    return train(training, lambda number: lambda x, y: step(x, y, number))
