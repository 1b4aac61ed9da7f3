"""A squared error of ratings, which are whole numbers, most of them five."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(6)
mx.random.seed(6)
model, optimizer = nn.Sequential(nn.Linear(7, 32), nn.Tanh(), nn.Linear(32, 1)), optim.Adam(3e-3)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x).squeeze(-1), y))
for _ in range(200):
    x = rng.normal(size=(64, 7))
    stars = np.clip(np.round(6 + x[:, 0] + x[:, 1]), 1, 5)
    loss, grads = gradient(model, mx.array(x.astype(np.float32)), mx.array(stars.astype(np.int32)))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
