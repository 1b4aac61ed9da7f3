"""Iterate generators in nested loops rightly: taken on from where it was left, made anew, endless, or by one round."""

import itertools

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(9)
inputs = mx.random.normal((256, 5))
targets = inputs @ mx.random.normal((5, 1))
mx.eval(inputs, targets)
model, optimizer = nn.Linear(5, 1), optim.SGD(learning_rate=0.05)
step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))


def batches(size=32):
    for start in range(0, 256, size):
        yield inputs[start : start + size], targets[start : start + size]


class Loader:
    def __init__(self):
        self.rows = batches()

    def reset(self):
        self.rows = batches()


def update(x, y):
    loss, grads = step(x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters())
    return loss.item()


def epochs(loader, count):
    for _ in range(count):
        for x, y in loader.rows:
            update(x, y)
        loader.reset()


stream = itertools.cycle(list(batches()))
for epoch in range(3):
    for number, (x, y) in enumerate(stream):
        update(x, y)
        if number == 7:
            break
    print(epoch)

chunks = (pair for _ in range(4) for pair in batches())
for _epoch in range(4):
    for x, y in chunks:
        update(x, y)
        if x[0, 0].item() == inputs[-32, 0].item():
            break

for epoch in range(2):
    fresh = batches()
    for x, y in fresh:
        update(x, y)

everything = batches()
for epoch in range(1):
    for x, y in everything:
        update(x, y)
for epoch in range(3):
    print(epoch, nn.losses.mse_loss(model(inputs), targets).item())

epochs(Loader(), 3)
