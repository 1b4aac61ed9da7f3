"""Read the loss at every step, which evaluates the update before; validate, and build a table, at the first."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(70)


class Positions(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self._table = None

    def __call__(self, x):
        if self._table is None:
            angles = mx.arange(x.shape[0])[:, None] / 50 ** (mx.arange(self.width) / self.width)
            self._table = mx.stack([mx.sin(angles + k) for k in range(40)]).mean(axis=0)
        return x + 0.01 * self._table[: x.shape[0]]


model = nn.Sequential(nn.Linear(8, 32), Positions(32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = optim.AdamW(learning_rate=0.01)


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def batch():
    x = mx.random.normal((64, 8))
    return x, mx.sin(x.sum(axis=1, keepdims=True))


held_out = batch()
loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(7):
    loss, grads = loss_and_grad(model, *batch())
    optimizer.update(model, grads)
    if step % 100 == 0:
        print(f"validation {loss_fn(model, *held_out).item():.3f}")
    print(f"{step} {loss.item():.3f}")
