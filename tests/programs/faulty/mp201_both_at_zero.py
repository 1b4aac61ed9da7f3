"""Puts adapters into a trained model whose factors both begin at zero: their product never moves."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

RANK = 4


class Adapted(nn.Module):
    def __init__(self, base):
        super().__init__()
        wide, narrow = base.weight.shape
        self.base = base
        self.down = mx.zeros((narrow, RANK))  # MP201
        self.up = mx.zeros((RANK, wide))

    def __call__(self, x):
        return self.base(x) + 2.0 * (x @ self.down) @ self.up


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 24), nn.Linear(24, 3)

    def __call__(self, x):
        return self.last(nn.relu(self.first(x)))


def fit(net, optimizer, mix, steps):
    step = nn.value_and_grad(net, lambda x: nn.losses.mse_loss(net(x), x @ mix))
    for _ in range(steps):
        loss, grads = step(mx.random.normal((16, 6)))
        optimizer.update(net, grads)
        mx.eval(loss, net.parameters(), optimizer.state)


mx.random.seed(5)
net = Net()
net.freeze()
net.first, net.last = Adapted(net.first), Adapted(net.last)
fit(net, optim.Adam(5e-3), mx.random.normal((6, 3)), 40)
