"""A loop of thousands of turns is compiled as one function.

Symptom: the program stands still at its first step, long after which every step is fast; or each new length stands
    still again.
Cause: `mx.compile` unrolls Python's loops: every turn adds its operations to one graph, which has to be simplified and
    fused, and for which kernels are built.
Fix: compile the body of the loop and call it in the loop, or say the loop in operations over whole arrays.
"""

import mlx.core as mx

from mlxprobe import Outcome, Scenario

probe = Scenario()
TURNS, DECAY = 3000, 0.999


def turn(level, value):
    return DECAY * level + (1 - DECAY) * value


def series():
    return mx.sin(mx.arange(TURNS) / 400)


def smoothed(turn, values):
    """Smooth a series value by value."""
    level = mx.array(0.0)
    for k in range(TURNS):
        level = turn(level, values[k])
    return level


@probe.correct
def body_compiled():
    """Compile one turn, and call it in the loop."""
    level = smoothed(mx.compile(turn), series())
    mx.eval(level)
    return {"level": level}


@probe.broken(expects=Outcome.PASS, finds=["MP505"])
def loop_compiled():
    """Compile the whole loop."""
    level = mx.compile(lambda values: smoothed(turn, values))(series())
    mx.eval(level)
    return {"level": level}


@probe.mitigation()
def whole_arrays():
    """Say what the loop computes as one sum."""
    weights = (1 - DECAY) * DECAY ** mx.arange(TURNS - 1, -1, -1)
    level = mx.sum(weights * series())
    mx.eval(level)
    return {"level": level}
