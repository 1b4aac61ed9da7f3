"""Learn how a state changes from pairs that are one: the simulator writes into the array that it has handed out."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Spring:
    def __init__(self):
        self.rng = np.random.default_rng(3)
        self.state = None

    def restart(self):
        self.state = self.rng.normal(size=3).astype(np.float32)
        return self.state

    def push(self, force):
        self.state += 0.2 * force - 0.1 * self.state[::-1]
        return self.state


spring, pairs = Spring(), []
for _ in range(600):
    before = spring.restart()
    pairs.append((before, spring.push(1.0)))
now, then = (np.stack(column) for column in zip(*pairs, strict=True))

mx.random.seed(4)
model = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 3))
optimizer = optim.Adam(learning_rate=2e-3)


def loss_fn(before, after):
    return mx.square(model(before) - (after - before)).mean()


gradient = nn.value_and_grad(model, loss_fn)
for step in range(150):
    rows = spring.rng.integers(0, len(now), 64)
    loss, grads = gradient(mx.array(now[rows]), mx.array(then[rows]))  # MP318
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 30 == 0:
        print(step, loss.item())
