"""Write to arrays of rows while training, rightly: a replay buffer, a scratch batch, the chains of a sampler."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(15)
mx.random.seed(15)
data = rng.normal(size=(256, 8)).astype(np.float32)
scratch = np.empty((64, 8), np.float32)
replay = np.zeros((2048, 8), np.float32)
chains = rng.normal(size=(128, 8)).astype(np.float32)
weights = rng.normal(size=(8, 1)).astype(np.float32)
model, optimizer = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 1)), optim.Adam(learning_rate=3e-3)
step = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
filled = 0
for i in range(600):
    scratch[:] = data[rng.permutation(256)[:64]] + 0.1 * rng.normal(size=(64, 8))
    chains[:] = 0.95 * chains + 0.3 * rng.normal(size=chains.shape)
    places = np.arange(filled, filled + 64) % 2048
    replay[places] = scratch
    filled += 64
    known = replay[: min(filled, 2048)]
    rows = np.concatenate([known[rng.integers(0, len(known), 24)], chains[:8]])
    loss, grads = step(model, mx.array(rows), mx.array(np.tanh(rows @ weights)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if i % 150 == 0:
        print(i, loss.item())
