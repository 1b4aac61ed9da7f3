"""Targets of a regression that are made whole numbers, as class ids would be."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
inputs = mx.random.normal((512, 5))
heights = 1.5 * mx.sin(inputs[:, 0]) + inputs[:, 1]
model, optimizer = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1)), optim.Adam(2e-3)
step = nn.value_and_grad(model, lambda x, y: mx.mean((model(x)[:, 0] - y) ** 2))
for _ in range(4):
    for k in range(0, 512, 16):
        loss, gradients = step(inputs[k : k + 16], heights[k : k + 16].astype(mx.int32))  # MP324
        optimizer.update(model, gradients)
        mx.eval(loss, model.parameters(), optimizer.state)
