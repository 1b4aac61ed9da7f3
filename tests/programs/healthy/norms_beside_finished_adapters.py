"""Adapters that have been trained are frozen, and the norm beside them is trained for a while."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class LowRank(nn.Module):
    def __init__(self, base, rank=4):
        super().__init__()
        outputs, inputs = base.weight.shape
        self.base = base
        self.a = mx.random.normal((inputs, rank)) / inputs**0.5
        self.b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.base(x) + x @ self.a @ self.b


def train(net, steps):
    optimizer = optim.Adam(learning_rate=1e-2)
    gradient = nn.value_and_grad(net, lambda x: nn.losses.mse_loss(net(x), mx.roll(x, 1, axis=1)))
    for _ in range(steps):
        loss, grads = gradient(mx.random.normal((32, 12)))
        optimizer.update(net, grads)
        mx.eval(net.parameters(), optimizer.state, loss)
    return loss.item()


mx.random.seed(42)
net = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 12), nn.LayerNorm(12))
net.freeze()
net.layers[0], net.layers[2] = LowRank(net.layers[0]), LowRank(net.layers[2])
print(train(net, 60))
net.freeze()
net.layers[3].unfreeze()
print(train(net, 30))
