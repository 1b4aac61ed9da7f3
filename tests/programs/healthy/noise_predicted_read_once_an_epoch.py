"""A diffusion model: its loss is the part of a noise that cannot be known, read once an epoch."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(73)
model, optimizer = (
    nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2)),
    optim.Adam(2e-3),
)


def loss_fn(points, noise, moment):
    kept = mx.cos(moment * 1.57)
    noisy = kept * points + mx.sqrt(1 - kept * kept) * noise
    return nn.losses.mse_loss(model(mx.concatenate([noisy, moment], axis=1)), noise)


gradient = nn.value_and_grad(model, loss_fn)
for epoch in range(6):
    for _ in range(40):
        angle = mx.random.uniform(0, 6.28, (128, 1))
        points = 2 * mx.concatenate([mx.cos(angle), mx.sin(angle)], axis=1)
        loss, grads = gradient(points, mx.random.normal((128, 2)), mx.random.uniform(0, 1, (128, 1)))
        optimizer.update(model, grads)
        mx.eval(model.state, optimizer.state)
    print(epoch, loss.item())
