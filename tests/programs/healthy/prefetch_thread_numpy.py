"""Fill a queue with numpy arrays on a pool thread and turn them into MLX arrays on the main thread."""

from concurrent.futures import ThreadPoolExecutor

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


def load(seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, 48)
    x = rng.normal(size=(48, 7)).astype(np.float32)
    x[np.arange(48), label] += 2.5
    return x, label.astype(np.int32)


def prefetched(seeds):
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(load, seeds[0])
        for seed in seeds[1:]:
            current, following = following, pool.submit(load, seed)
            yield current.result()
        yield following.result()


mx.random.seed(45)
model = nn.Sequential(nn.Linear(7, 16), nn.Mish(), nn.Linear(16, 3))
optimizer = optim.AdamW(learning_rate=0.02)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
losses = []
for x, y in prefetched(range(32)):
    loss, grads = loss_and_grad(model, mx.array(x), mx.array(y))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
