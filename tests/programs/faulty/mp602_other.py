"""Train a regressor on batches that an executor's thread normalises one step ahead."""

from concurrent.futures import ThreadPoolExecutor

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(71)
rng = np.random.default_rng(71)

model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.Adam(learning_rate=0.02)
mx.eval(model.parameters())


def prepare():
    raw = mx.array(rng.uniform(-5, 5, (32, 3)).astype(np.float32))
    scaled = (raw - raw.mean(axis=0)) / raw.max()  # MP602
    return scaled, mx.sum(scaled, axis=1, keepdims=True)


def loss_fn(model, x, y):
    return nn.losses.l1_loss(model(x), y)


loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []

with ThreadPoolExecutor(max_workers=1) as executor:
    upcoming = executor.submit(prepare)
    for _ in range(20):
        x, y = upcoming.result()
        upcoming = executor.submit(prepare)
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        losses.append(loss.item())

print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")
