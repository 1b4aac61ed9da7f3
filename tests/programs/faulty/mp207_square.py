"""Squares what an unscaled column has made large: the power of a whole number overflows, whatever the base's sign."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
net, optimizer = nn.Linear(3, 1), optim.SGD(1e-3)


def loss_of(x, y):
    return ((net(x) - y) ** 2).mean()  # MP207


step = nn.value_and_grad(net, loss_of)
for number in range(12):
    x = mx.random.normal((8, 3)) * (1e21 if number == 8 else 1.0)
    loss, grads = step(x, mx.random.normal((8, 1)))
    optimizer.update(net, grads)
    mx.eval(loss, net.parameters())
    loss.item()
