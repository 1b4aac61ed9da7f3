"""Learn the tilt of small pictures of bytes, of which their background is taken away before they become floats."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

SIZE, BATCH = 16, 24
rng = np.random.default_rng(51)
across, down = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE))


def pictures(count):
    tilt = rng.uniform(-1, 1, count)
    ramps = 90 + 60 * (tilt[:, None, None] * across + (1 - np.abs(tilt))[:, None, None] * down)
    return np.clip(ramps + rng.normal(0, 8, ramps.shape), 0, 255).astype(np.uint8), tilt.astype(np.float32)


def loss_fn(model, x, tilt):
    return nn.losses.mse_loss(mx.tanh(model(x)).squeeze(-1), tilt)


mx.random.seed(51)
background = mx.full((SIZE, SIZE), 90, dtype=mx.uint8)
model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), lambda x: x.mean(axis=(1, 2)), nn.Linear(8, 1))
optimizer = optim.Adam(learning_rate=2e-3)
step = nn.value_and_grad(model, loss_fn)
for number in range(60):
    bytes_, tilt = pictures(BATCH)
    bare = mx.array(bytes_) - background  # MP334
    loss, grads = step(model, (bare.astype(mx.float32) / 64)[..., None], mx.array(tilt))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number % 20 == 19:
        print(number + 1, round(loss.item(), 3))
