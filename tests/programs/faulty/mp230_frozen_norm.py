"""Freeze a backbone, and let its batch normalisation gather statistics of the new data."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(95)
backbone = nn.Sequential(nn.Linear(10, 24), nn.BatchNorm(24), nn.ReLU())
model = nn.Sequential(backbone, nn.Linear(24, 3))
rule = mx.random.normal((10, 3))
gradient = nn.value_and_grad(model, lambda x: nn.losses.cross_entropy(model(x), mx.argmax(x @ rule, axis=1)).mean())


def fit(steps, shift):
    optimizer = optim.Adam(learning_rate=3e-3)
    for _ in range(steps):
        loss, grads = gradient(mx.random.normal((48, 10)) + shift)
        optimizer.update(model, grads)
        mx.eval(loss, model.state, optimizer.state)
    print(loss.item())


fit(60, 0.0)
backbone.freeze()  # MP230
fit(60, 2.0)
