"""Tell slow waves from fast ones; the series come with time first, as another framework wants them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


def series(rng, count=20, length=28):
    """Return (length, count, 2) waves, and whether each is fast."""
    fast = rng.integers(0, 2, count)
    angle = (0.15 + 0.2 * fast) * np.arange(length)[:, None] + rng.uniform(0, 6.28, count)
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1) + 0.1 * rng.normal(size=(length, count, 2))
    return mx.array(waves.astype(np.float32)), mx.array(fast)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory, self.head = nn.LSTM(2, 24), nn.Linear(24, 2)

    def __call__(self, x):
        states, _ = self.memory(x)  # MP326
        return self.head(states[-1])


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


rng = np.random.default_rng(3)
mx.random.seed(3)
model, optimizer = Reader(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, loss_fn)
for step in range(40):
    loss, grads = gradient(model, *series(rng))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())

# also: MP306
