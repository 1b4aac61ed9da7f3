"""Images are turned upside down at random, and the depths beside them are not."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

draw = np.random.default_rng(7)
depths = draw.normal(size=(240, 10, 10)).astype(np.float32).cumsum(axis=1)
images = np.stack([np.tanh(depths), depths + draw.normal(size=depths.shape)], axis=-1).astype(np.float32)


def varied(rows):
    batch, beside = images[rows].copy(), depths[rows]
    over = draw.random(len(rows)) < 0.5
    batch[over] = batch[over][:, ::-1]
    return mx.array(batch), mx.array(beside)


mx.random.seed(7)
model, optimizer = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)), optim.Adam(2e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x)[..., 0], y))
for k in range(60):
    x, y = varied(draw.integers(0, 240, 12))
    loss, gradients = step(x, y)  # MP325
    optimizer.update(model, gradients)
    mx.eval(loss, model.parameters(), optimizer.state)
