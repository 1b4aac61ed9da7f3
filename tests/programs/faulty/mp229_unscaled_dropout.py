"""Regress on sums of features by a net whose own dropout does not divide by what it keeps."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Drop(nn.Module):
    def __call__(self, x):
        return x * mx.random.bernoulli(0.5, x.shape) if self.training else x


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(8, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.drop = Drop()

    def __call__(self, x):
        x = self.drop(nn.relu(self.first(x)))
        return self.last(self.drop(nn.relu(self.second(x))))[:, 0]  # MP229


mx.random.seed(0)
model, optimizer = Net(), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for _ in range(270):
    x = mx.random.normal((64, 8))
    loss, grads = loss_and_grad(x, 5 + mx.tanh(x.sum(axis=1)))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
