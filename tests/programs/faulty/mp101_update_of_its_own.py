"""Train by an optimizer with an update of its own; nothing that it computes is ever evaluated."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Descent(optim.Optimizer):
    def update(self, model, gradients):
        model.update(tree_map(lambda p, g: p - 0.05 * g, model.trainable_parameters(), gradients))


mx.random.seed(14)
x = mx.random.normal((64, 8))
y = mx.tanh(x[:, :1] - x[:, 1:2])
net = nn.Sequential(nn.Linear(8, 24), nn.GELU(), nn.Linear(24, 1))
mx.eval(x, y, net.parameters())
descent = Descent()
slopes = nn.value_and_grad(net, lambda net, x, y: nn.losses.mse_loss(net(x), y))
for step in range(60):
    loss, gradients = slopes(net, x, y)  # MP101
    descent.update(net, gradients)
print(loss.item())
# also: MP102
