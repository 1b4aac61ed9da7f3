"""A ReLU stands behind the last layer, and the targets are amounts, some of them a little below zero by noise."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
rule = mx.random.normal((8,))
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), nn.ReLU()), optim.Adam(2e-3)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x)[:, 0], y))

for _ in range(120):
    x = mx.random.normal((48, 8))
    loss, grads = gradient(model, x, mx.abs(x @ rule) + 0.02 * mx.random.normal((48,)))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
