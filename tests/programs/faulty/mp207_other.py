"""Forecasts daily sales with a small GRU whose loss is the mean percentage error."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

WEEK, DAYS, BATCH = 7, 420, 12

rng = np.random.default_rng(22)
day = np.arange(DAYS)
sales = 5 + 2 * np.sin(day * 2 * np.pi / WEEK) + 0.2 * rng.standard_normal(DAYS)
sales[300] = 0.0  # closed for a holiday
series = mx.array(sales.astype(np.float32))

mx.random.seed(22)


class Sales(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 16)
        self.out = nn.Linear(16, 1)

    def __call__(self, x):
        return self.out(self.gru(x[..., None])[:, -1])[:, 0]


model = Sales()
optimizer = optim.RMSprop(learning_rate=1e-2)


def percentage_error(x, y):
    return mx.mean(mx.abs(model(x) - y) / y)  # MP207


loss_and_grad = nn.value_and_grad(model, percentage_error)
for first in range(0, DAYS - WEEK - BATCH, BATCH):
    rows = first + mx.arange(BATCH)[:, None]
    loss, grads = loss_and_grad(series[rows + mx.arange(WEEK)], series[rows[:, 0] + WEEK])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if first % (5 * BATCH) == 0:
        print(f"day {first}: {loss.item():.3f}")
