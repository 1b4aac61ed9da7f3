"""A ReLU stands behind the last layer of a regression, and half of the targets are below zero."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
rule = mx.random.normal((8,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(8, 32), nn.Linear(32, 1)]

    def __call__(self, x):
        for layer in self.layers:
            x = nn.relu(layer(x))  # MP336
        return x[:, 0]


model, optimizer = Net(), optim.Adam(2e-3)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))

for _ in range(120):
    x = mx.random.normal((48, 8))
    loss, grads = gradient(model, x, x @ rule)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
