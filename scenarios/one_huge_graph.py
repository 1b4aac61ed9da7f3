"""A loss unrolls thousands of steps into one graph.

Symptom: each gradient takes seconds before anything is computed, and memory holds every intermediate state.
Cause: the gradient needs them all; an `mx.eval` inside the differentiated function frees nothing.
Fix: gradients of shorter pieces (truncated backpropagation), or `mx.checkpoint` around blocks of steps.
"""

import mlx.core as mx
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()
STEPS, POINTS = 6000, 256
START = mx.exp(-200 * (mx.linspace(0, 1, POINTS) - 0.5) ** 2)


def solve(k, u, steps):
    """Diffuse `u` for some steps."""
    for _ in range(steps):
        u = u + k * (mx.roll(u, 1) - 2 * u + mx.roll(u, -1))
    return u


def train(loss):
    """Fit the coefficient of 0.2 by its last state."""
    params, optimizer = {"k": mx.array(0.1)}, optim.Adam(learning_rate=0.05)
    gradient = mx.value_and_grad(loss)
    for _ in range(4):
        value, grads = gradient(params)
        params = optimizer.apply_gradients(grads, params)
        mx.eval(params, optimizer.state, value)
    return params


@probe.correct
def last_piece_differentiated():
    """Take the gradient of the last steps alone."""
    before = solve(0.2, START, 1500)
    target = solve(0.2, before, 1500)
    mx.eval(before, target)

    def loss(params):
        return mx.mean((solve(params["k"], before, 1500) - target) ** 2)

    return train(loss)


@probe.broken(expects=Outcome.PASS, finds=["MP108"], comparable=False)
def all_steps_differentiated():
    """Take it of all steps."""
    target = solve(0.2, START, STEPS)
    mx.eval(target)
    return train(lambda params: mx.mean((solve(params["k"], START, STEPS) - target) ** 2))
