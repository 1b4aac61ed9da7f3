"""Fit a curve on random Fourier features: frequencies that are drawn once, and meant to stay."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(31)


class OnFeatures(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self._frequencies = 3.0 * mx.random.normal((inputs, width))
        self.inner = nn.Linear(2 * width, 24)
        self.outer = nn.Linear(24, 1)

    def __call__(self, x):
        angles = x @ self._frequencies
        features = mx.concatenate([mx.cos(angles), mx.sin(angles)], axis=-1)
        return self.outer(nn.relu(self.inner(features)))


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x)[:, 0], y)


model = OnFeatures(3, 16)
optimizer = optim.Adam(learning_rate=5e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(60):
    x = mx.random.uniform(-1, 1, (64, 3))
    loss, grads = loss_and_grad(model, x, mx.sin(4 * x[:, 0]) * x[:, 1])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if step % 10 == 9:
        print(f"{step + 1}: {loss.item():.4f}")
