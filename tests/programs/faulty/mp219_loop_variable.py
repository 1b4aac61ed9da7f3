"""Bound a critic's weights by giving the loop's variable another value."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

mx.random.seed(1)
critic, optimizer = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1)), optim.RMSprop(1e-3)


def difference(m, real, false):
    return m(false).mean() - m(real).mean()


def bound(m, limit):
    for _, p in tree_flatten(m.trainable_parameters()):
        p = mx.clip(p, -limit, limit)  # MP219


gradient = nn.value_and_grad(critic, difference)
for i in range(60):
    real, false = mx.random.normal((64, 2)) + 1.0, mx.random.normal((64, 2))
    loss, grads = gradient(critic, real, false)
    optimizer.update(critic, grads)
    bound(critic, 0.05)
    mx.eval(loss, critic.parameters(), optimizer.state)
    if i % 20 == 0:
        print(i, loss.item())
