"""Train on clusters of the inputs that are found anew, and numbered anew, in each epoch."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(0)
mx.random.seed(0)
centres = 3 * rng.normal(size=(5, 6))
x = (centres[rng.integers(0, 5, 160)] + rng.normal(size=(160, 6))).astype(np.float32)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 5))
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
optimizer = optim.SGD(0.05)
for _ in range(16):
    found = centres[rng.permutation(5)] + 0.5 * rng.normal(size=(5, 6))
    y = ((x[:, None] - found) ** 2).sum(-1).argmin(1)
    order = rng.permutation(160)
    for k in range(0, 160, 32):
        rows = order[k : k + 32]
        loss, grads = loss_and_grad(mx.array(x[rows]), mx.array(y[rows]))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
