"""Batch normalisation in evaluation mode, and gradients of all parameters: the statistics themselves are trained."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm(16), nn.ReLU(), nn.Linear(16, 3))
model.eval()
optimizer = optim.Adam(learning_rate=5e-3)


def loss_fn(params, x, y):
    model.update(params)
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


gradient = mx.value_and_grad(loss_fn)
for _ in range(60):
    x = mx.random.normal((32, 8))
    loss, grads = gradient(model.parameters(), x, mx.argmax(x[:, :3], axis=1))
    optimizer.update(model, grads)  # MP202
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
