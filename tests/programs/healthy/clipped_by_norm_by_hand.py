"""Clip by norm without `clip_grad_norm`: one factor for all gradients, by `tree_map`."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map

LIMIT = 2.0


def clipped(grads):
    norm = mx.sqrt(sum((one * one).sum() for _, one in tree_flatten(grads)))
    factor = mx.minimum(1.0, LIMIT / (norm + 1e-6))
    return tree_map(lambda one: one * factor, grads)


mx.random.seed(1)
net, optimizer = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1)), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x)[:, 0], y))
for step in range(60):
    x = mx.random.normal((32, 6))
    loss, grads = gradient(x, 9 * x.sum(axis=1))
    optimizer.update(net, clipped(grads))
    mx.eval(net.parameters(), optimizer.state, loss)
print(loss.item())
