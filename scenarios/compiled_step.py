"""A compiled step is not told of the state that it trains.

Symptom: the first value that is read raises RuntimeError; or the loss never falls, without an error; or every step
    drops the same units; or each step takes three times as long, longer than before it was compiled.
Cause: `mx.compile` runs the step's Python once and replays what it saw. State that is not among `inputs` stays as it
    was then; state that is not among `outputs` is left a placeholder. Another Python number is another function.
Fix: `state = [model.state, optimizer.state, mx.random.state]`, compiled once with `inputs=state, outputs=state`.
"""

import mlx.core as mx
from _deep_linear import Training

from mlxprobe import Outcome, Scenario

probe = Scenario()


@probe.correct
def all_state_captured():
    """Compile once, with all state as inputs and outputs."""
    training = Training()
    step = mx.compile(training.step, inputs=training.state, outputs=training.state)
    return training.run(lambda number: step)


@probe.broken(expects=Outcome.ERROR, raises="Attempting to eval an array without a primitive", finds=["MP501"])
def nothing_captured():
    """Compile the step as it is."""
    training = Training()
    step = mx.compile(training.step)
    return training.run(lambda number: step)


@probe.broken(expects=Outcome.ERROR, raises="Attempting to eval an array without a primitive", finds=["MP501"])
def inputs_alone():
    """Name the state among the inputs, and forget the outputs."""
    training = Training()
    step = mx.compile(training.step, inputs=training.state)
    return training.run(lambda number: step)


@probe.broken(expects=Outcome.NO_LEARNING, finds=["MP306", "MP501"])
def outputs_alone():
    """Name the state among the outputs, and forget the inputs."""
    training = Training()
    step = mx.compile(training.step, outputs=training.state)
    return training.run(lambda number: step)


@probe.broken(expects=Outcome.WRONG, finds=["MP503"])
def random_state_left_out():
    """Capture model and optimizer, but not the state of the random numbers, which dropout reads."""
    training = Training()
    captured = training.state[:2]
    step = mx.compile(training.step, inputs=captured, outputs=captured)
    return training.run(lambda number: step)


@probe.broken(expects=Outcome.PASS, finds=["MP502"])
def compiled_inside_the_loop():
    """Call `mx.compile` anew every step."""
    training = Training()
    return training.run(lambda number: mx.compile(training.step, inputs=training.state, outputs=training.state))


@probe.broken(expects=Outcome.PASS, finds=["MP502"])
def number_among_the_arguments():
    """Hand the step its number, a Python int."""
    training = Training()
    step = mx.compile(training.step, inputs=training.state, outputs=training.state)
    return training.run(lambda number: lambda x, y: step(x, y, number))


@probe.mitigation()
def not_compiled():
    """Run the step as it is."""
    training = Training()
    return training.run(lambda number: training.step)
