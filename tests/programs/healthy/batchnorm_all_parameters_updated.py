"""Gradients of all parameters, batch statistics among them: theirs are zero, and the optimizer keeps them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = optim.Adam(learning_rate=5e-3)


def loss_fn(params, x, y):
    model.update(params)
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


gradient = mx.value_and_grad(loss_fn)
for _ in range(60):
    x = mx.random.normal((32, 8))
    loss, grads = gradient(model.parameters(), x, mx.argmax(x[:, :3], axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
