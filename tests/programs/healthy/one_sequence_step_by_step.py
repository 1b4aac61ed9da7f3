"""A recurrent model of one long series, trained on stretches of it, and run on one moment after another."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Follow(nn.Module):
    def __init__(self):
        super().__init__()
        self.follow, self.head = nn.GRU(3, 24), nn.Linear(24, 1)

    def __call__(self, x):
        return self.head(self.follow(x))[:, 0]


rng = np.random.default_rng(4)
series = np.cumsum(rng.normal(size=(2000, 3)), axis=0).astype(np.float32) / 20
mx.random.seed(4)
model, optimizer = Follow(), optim.Adam(3e-3)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for k in range(300):
    at = int(rng.integers(0, 1900))
    x, y = series[at : at + 48], series[at + 1 : at + 49, 0]
    loss, grads = gradient(mx.array(x), mx.array(y))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if k % 40 == 39:
        print([model(mx.array(series[i : i + 1])).item() for i in range(6)])
