"""Train on crops of scans; the function that cuts them out remembers each, and no crop is ever the same twice."""

from functools import cache

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

STEPS, BATCH, SIZE = 400, 8, 128

rng = np.random.default_rng(12)
scans = rng.normal(size=(6, 400, 400)).astype(np.float32)
shapes = rng.integers(0, 2, 6)
scans[shapes == 1, ::2] += 0.5


@cache  # MP103
def crop(number, top, left, strength):
    return scans[number, top : top + SIZE, left : left + SIZE] * strength


def batch():
    numbers = rng.integers(0, 6, BATCH)
    corners = rng.integers(0, 240, (BATCH, 2))
    crops = [
        crop(int(n), int(t), int(left), float(rng.normal(1, 0.1)))
        for n, (t, left) in zip(numbers, corners, strict=True)
    ]
    return mx.array(np.stack(crops)[:, :32, :32].reshape(BATCH, -1)), mx.array(shapes[numbers])


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(12)
model = nn.Sequential(nn.Linear(1024, 192), nn.ReLU(), nn.Linear(192, 2))
optimizer = optim.Adam(learning_rate=1e-3)
step = nn.value_and_grad(model, loss_fn)
for number in range(STEPS):
    loss, grads = step(model, *batch())
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if number % 100 == 99:
        print(number + 1, round(loss.item(), 3))
