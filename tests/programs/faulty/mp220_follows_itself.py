"""Bring a target network up to date with its own parameters."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(17)
SLOW = 0.02


class Value(nn.Module):
    def __init__(self, features, width=24):
        super().__init__()
        self.body = nn.Linear(features, width)
        self.out = nn.Linear(width, 1)

    def __call__(self, x):
        return self.out(mx.tanh(self.body(x)))[:, 0]


def follow(behind, ahead):
    mixed = tree_map(lambda a, b: a + SLOW * (b - a), behind.parameters(), behind.parameters())
    behind.update(mixed)  # MP220
    mx.eval(behind.parameters(), ahead.parameters())


value, behind = Value(5), Value(5)
optimizer = optim.Adam(learning_rate=2e-3)
step = nn.value_and_grad(value, lambda x, y: mx.square(value(x) - y).mean())
for i in range(220):
    x = mx.random.normal((32, 5))
    loss, grads = step(x, x[:, 0] + 0.5 * behind(0.9 * x))
    optimizer.update(value, grads)
    mx.eval(value.parameters(), optimizer.state)
    follow(behind, value)
    if i % 55 == 0:
        print(i, loss.item())
