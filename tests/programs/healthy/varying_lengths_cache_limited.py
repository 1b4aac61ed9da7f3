"""Train on lengths that never come back, with a cache that is held small."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.set_cache_limit(48 << 20)
mx.random.seed(2)
rng = np.random.default_rng(2)
model = nn.Sequential(nn.Embedding(64, 48), nn.Linear(48, 96), nn.ReLU(), nn.Linear(96, 64))
optimizer = optim.AdamW(3e-3)
optimizer.init(model.trainable_parameters())
mx.eval(model.parameters(), optimizer.state)
kept = []


def loss_fn(model, words):
    return nn.losses.cross_entropy(model(words), words * 7 % 64, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
for number in range(96):
    words = mx.array(rng.integers(0, 64, (4, int(rng.integers(40, 500)))))
    loss, grads = step(model, words)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    kept.append(loss)
    if number % 24 == 23:
        print(f"{mx.mean(mx.stack(kept)).item():.3f}")
        kept.clear()
