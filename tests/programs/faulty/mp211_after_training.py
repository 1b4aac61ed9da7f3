"""Train a small network, then wrap its layers in adapters and train on for another task, with nothing frozen."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Adapted(nn.Module):
    def __init__(self, layer, rank):
        super().__init__()
        outputs, inputs = layer.weight.shape
        self.layer = layer
        self.first = mx.random.normal((inputs, rank)) * 0.1
        self.second = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.layer(x) + (x @ self.first) @ self.second


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(14, 40), nn.Linear(40, 3)

    def __call__(self, x):
        return self.outer(nn.silu(self.inner(x)))


def fit(model, mix, steps):
    optimizer = optim.Adam(learning_rate=3e-3)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for _ in range(steps):
        x = mx.random.normal((24, 14))
        loss, grads = loss_and_grad(x, mx.tanh(x @ mix))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
    print(loss.item())


def adapted(model):
    model.inner = Adapted(model.inner, 2)  # MP211
    model.outer = Adapted(model.outer, 1)
    return model


mx.random.seed(34)
net = Net()
fit(net, mx.random.normal((14, 3)), 130)
fit(adapted(net), mx.random.normal((14, 3)), 60)
