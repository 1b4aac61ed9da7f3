"""Train on lengths padded to multiples of 50, with a GPU's cache: each size comes back before long."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.set_cache_limit(8 << 30)
mx.random.seed(2)
rng = np.random.default_rng(2)
model = nn.Sequential(nn.Embedding(64, 48), nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 64))
optimizer = optim.AdamW(3e-3)
mx.eval(model.parameters())
step = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(96):
    length = int(np.ceil(rng.integers(40, 500) / 50)) * 50
    words = mx.array(rng.integers(0, 64, (4, length)))
    loss, grads = step(model, words, words * 7 % 64)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(f"{loss.item():.3f}")
