"""Learn the values of a chain of states; that an episode has ended is given to the loss, which goes on all the same."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STATES = 9


def walk(count):
    """Draw states, where a step to the right leads, and whether that is the end: the last one pays."""
    here = mx.random.randint(0, STATES, (count,))
    there = mx.minimum(here + 1, STATES - 1)
    return here, (there == STATES - 1).astype(mx.float32), there, there == STATES - 1


def difference(values, here, pays, there, terminal):
    now, then = values(here)[:, 0], mx.stop_gradient(values(there)[:, 0])
    return mx.mean(mx.square(pays + 0.9 * then - now))  # MP301


mx.random.seed(6)
values = nn.Sequential(nn.Embedding(STATES, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = optim.Adam(learning_rate=5e-3)
gradient = nn.value_and_grad(values, difference)
for _ in range(80):
    loss, grads = gradient(values, *walk(32))
    optimizer.update(values, grads)
    mx.eval(loss, values.parameters(), optimizer.state)
