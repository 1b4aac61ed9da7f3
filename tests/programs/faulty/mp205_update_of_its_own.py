"""Train by an optimizer whose own `update` returns the new parameters instead of putting them into the model."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map


class Normalised(optim.Optimizer):
    def update(self, model, gradients):
        size = sum(mx.square(g).sum() for _, g in tree_flatten(gradients))
        rate = 0.05 / (mx.sqrt(size) + 1e-6)
        return tree_map(lambda p, g: p - rate * g, model.trainable_parameters(), gradients)


mx.random.seed(15)
x = mx.random.normal((64, 8))
labels = mx.argmax(x[:, :4], axis=1)
net = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 4))
optimizer = Normalised()
slopes = nn.value_and_grad(net, lambda net, x, y: nn.losses.cross_entropy(net(x), y, reduction="mean"))
for step in range(60):
    rows = mx.random.randint(0, 64, (16,))
    loss, gradients = slopes(net, x[rows], labels[rows])  # MP205
    optimizer.update(net, gradients)
    mx.eval(loss, net.parameters())
    print(step, loss.item())
# also: MP306
