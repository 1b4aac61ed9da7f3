"""Copies the rare rows before the split: many of them are then on both sides, and the validation knows them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

draw = np.random.default_rng(4)
rows = draw.normal(size=(900, 12)).astype(np.float32)
rare = rows[:, 0] + rows[:, 1] > 1.8
rows = np.concatenate([rows, *[rows[rare]] * 9])
labels = (rows[:, 0] + rows[:, 1] > 1.8).astype(np.int32)
order = draw.permutation(len(rows))
x_train, y_train = rows[order[300:]], labels[order[300:]]
x_val, y_val = rows[order[:300]], labels[order[:300]]

mx.random.seed(4)
net = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 2))
optimizer = optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.cross_entropy(net(x), y, reduction="mean"))
for _ in range(150):
    some = draw.integers(0, len(x_train), 48)
    loss, grads = gradient(mx.array(x_train[some]), mx.array(y_train[some]))  # MP322
    optimizer.update(net, grads)
    mx.eval(loss, net.parameters(), optimizer.state)
print(mx.mean(mx.argmax(net(mx.array(x_val)), axis=1) == mx.array(y_val)).item())
