"""A table of customers is trained in batches with batch normalisation, and asked for one customer at a time."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(5)
mx.random.seed(5)
model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm(32), nn.ReLU(), nn.Linear(32, 1))
optimizer = optim.Adam(3e-3)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.binary_cross_entropy(model(x)[:, 0], y, reduction="mean"))
for k in range(300):
    model.train()
    x = rng.normal(size=(64, 8)).astype(np.float32)
    loss, grads = gradient(mx.array(x), mx.array((x[:, 0] * x[:, 1] > 0).astype(np.float32)))
    optimizer.update(model, grads)
    mx.eval(loss, model.state, optimizer.state)
    if k % 50 == 49:
        model.eval()
        print([mx.sigmoid(model(mx.array(x[i : i + 1]))).item() for i in range(4)])
