"""Trains a recurrent network on a table with one missing value, in epochs of shuffled batches."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

ROWS, COLUMNS, BATCH = 240, 5, 20

rng = np.random.default_rng(34)
table = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
target = table @ np.arange(1, COLUMNS + 1, dtype=np.float32)
table[171, 3] = np.nan  # not answered

mx.random.seed(34)
model = nn.Sequential(nn.Linear(COLUMNS, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.Adam(learning_rate=1e-2)


def loss_fn(features, target):
    return nn.losses.mse_loss(model(features)[:, 0], target)


loss_and_grad = nn.value_and_grad(model, loss_fn)
for epoch in range(3):
    total = 0.0
    order = rng.permutation(ROWS)
    for first in range(0, ROWS, BATCH):
        rows = order[first : first + BATCH]
        loss, grads = loss_and_grad(mx.array(table[rows]), mx.array(target[rows]))  # MP207
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        total += loss.item()
    print(epoch, total)
