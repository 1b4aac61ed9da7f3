"""Add noise to batches that are views of the data."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(4)
mx.random.seed(4)
centres = rng.normal(size=(6, 16))
labels = rng.integers(0, 6, 192)
rows = (centres[labels] + 0.3 * rng.normal(size=(192, 16))).astype(np.float32)


class Jitter:
    def __init__(self, size):
        self.size = size

    def __call__(self, part):
        part += self.size * rng.normal(size=part.shape).astype(np.float32)
        return mx.array(part)


model = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 6))
optimizer, jitter = optim.Adam(learning_rate=2e-3), Jitter(0.4)
step = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for epoch in range(50):
    for start in range(0, 192, 24):
        part = slice(start, start + 24)
        loss, grads = step(model, jitter(rows[part]), mx.array(labels[part]))  # MP314
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    if epoch % 10 == 9:
        print(epoch, loss.item())
