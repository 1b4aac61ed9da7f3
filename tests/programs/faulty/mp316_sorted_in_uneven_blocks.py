"""Rows come as they were written down, kind after kind, in batches that do not divide a kind's rows."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

KINDS, EACH, SIZE = 6, 90, 16


def book():
    middles = mx.random.normal((KINDS, 10))
    kinds = mx.repeat(mx.arange(KINDS), EACH)
    return middles[kinds] + mx.random.normal((KINDS * EACH, 10)), kinds


def batches(x, y):
    for begin in range(0, len(y), SIZE):
        yield x[begin : begin + SIZE], y[begin : begin + SIZE]


mx.random.seed(5)
x, y = book()
model, optimizer = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, KINDS)), optim.SGD(learning_rate=0.05)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for epoch in range(12):
    for rows, kinds in batches(x, y):
        loss, grads = gradient(model, rows, kinds)  # MP316
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(epoch, loss.item())
# also: MP306, MP208
