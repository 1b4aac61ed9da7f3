"""Targets lie where the outputs come: but for a rounding, some of them, marks that a mask takes out, and a scale."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(6, 32), nn.Linear(32, 4)

    def __call__(self, x):
        return self.out(nn.relu(self.into(x)))


def rounded(net, x, y):
    return nn.losses.mse_loss(mx.sigmoid(net(x)), y)


def scaled(net, x, y):
    return mx.mean(mx.square(6 * mx.tanh(net(x)) - y))


def scaled_targets(net, x, y):
    return mx.mean(mx.abs(mx.tanh(net(x)) - y / 6))


def a_few(net, x, y):
    return nn.losses.mse_loss(mx.tanh(net(x)), y)


def masked(net, x, y):
    return mx.sum(mx.square(mx.sigmoid(net(x)) - y) * (y >= 0)) / mx.sum(y >= 0)


def one_column(net, x, y):
    return mx.mean(mx.square(mx.sigmoid(net(x)[:, 0]) - y[:, 0]) + mx.square(net(x)[:, 1] - y[:, 1]))


mx.random.seed(14)
rule = mx.random.normal((6, 4))
for loss_fn in (rounded, scaled, scaled_targets, a_few, masked, one_column):
    net, optimizer = Net(), optim.Adam(learning_rate=2e-2)
    gradient = nn.value_and_grad(net, loss_fn)
    for step in range(40):
        x = mx.random.normal((64, 6))
        y = x @ rule
        if loss_fn is rounded:
            y = mx.sigmoid(y) * 1.000001
        elif loss_fn is a_few:
            y = mx.where(mx.random.uniform(shape=y.shape) < 0.03, 3 * y, mx.tanh(y))
        elif loss_fn is masked:
            y = mx.where(mx.random.uniform(shape=y.shape) < 0.3, -1 - mx.random.uniform(shape=y.shape), mx.sigmoid(y))
        elif loss_fn is one_column:
            y = mx.concatenate([mx.sigmoid(y[:, :1]), 5 * y[:, 1:]], axis=1)
        loss, grads = gradient(net, x, y)
        optimizer.update(net, grads)
        mx.eval(net.parameters(), optimizer.state, loss)
    print(loss_fn.__name__, loss.item())
