"""Integrates a small field within the loss, and evaluates its state at each of many steps, to save memory."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS = 120


def integrated(field, y):
    for _ in range(STEPS):
        y = y + field(y) / STEPS
        mx.eval(y)  # MP108
    return y


mx.random.seed(2)
field = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = optim.Adam(5e-3)
turn = mx.array([[0.54, 0.84], [-0.84, 0.54]])
step = nn.value_and_grad(field, lambda start, end: ((integrated(field, start) - end) ** 2).mean())
for _ in range(12):
    start = mx.random.normal((32, 2))
    loss, grads = step(start, start @ turn)
    optimizer.update(field, grads)
    mx.eval(loss, field.parameters(), optimizer.state)
