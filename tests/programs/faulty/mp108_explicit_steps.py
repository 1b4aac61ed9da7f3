"""Follows a field through very many explicit steps within the loss: no more is given than where they begin and end."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, POINTS = 900, 10


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 16), nn.Linear(16, 2)

    def __call__(self, x):
        return self.last(mx.tanh(self.first(x)))


def path(field, x):
    every = []
    for _ in range(STEPS):
        x = x + 2 / STEPS * field(x)  # MP108
        every.append(x)
    return mx.stack(every)


def loss_of(field, start, wanted):
    at = mx.arange(STEPS // POINTS - 1, STEPS, STEPS // POINTS)
    return mx.mean(mx.abs(path(field, start)[at] - wanted))


mx.random.seed(0)
field, optimizer = Field(), optim.Adam(1e-2)
step = nn.value_and_grad(field, loss_of)
for _ in range(8):
    start = mx.random.normal((256, 2))
    angle = mx.linspace(0.2, 2.0, POINTS)[:, None]
    first, second = start[:, 0], start[:, 1]
    turned = [first * mx.cos(angle) + second * mx.sin(angle), second * mx.cos(angle) - first * mx.sin(angle)]
    loss, grads = step(field, start, mx.stack(turned, -1))
    optimizer.update(field, grads)
    mx.eval(loss, field.parameters(), optimizer.state)
