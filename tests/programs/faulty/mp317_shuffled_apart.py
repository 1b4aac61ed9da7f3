"""Classify flowers by eight measures; each epoch shuffles measures and kinds, and not in the same order."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

KINDS, MEASURES, FLOWERS, BATCH = 3, 8, 192, 48

rng = np.random.default_rng(31)
mx.random.seed(31)
kinds = rng.integers(0, KINDS, FLOWERS)
measures = (rng.normal(size=(KINDS, MEASURES))[kinds] + 0.4 * rng.normal(size=(FLOWERS, MEASURES))).astype(np.float32)


def epoch():
    shuffled, names = rng.permutation(measures), rng.permutation(kinds)
    for start in range(0, FLOWERS, BATCH):
        yield mx.array(shuffled[start : start + BATCH]), mx.array(names[start : start + BATCH])


model = nn.Sequential(nn.Linear(MEASURES, 32), nn.ReLU(), nn.Linear(32, KINDS))
optimizer = optim.Adam(learning_rate=2e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for number in range(20):
    for x, y in epoch():
        loss, grads = loss_and_grad(x, y)  # MP317
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
    print(number, round(loss.item(), 3))
