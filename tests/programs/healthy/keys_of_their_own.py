"""Draw each step's data with a key of its own, and the same table each time with the same."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x)[:, 0], y))
key = mx.random.key(1)
for step in range(80):
    key, one, other = mx.random.split(key, 3)
    x = mx.random.normal((32, 8), key=one)
    table = mx.random.normal((8,), key=mx.random.key(7))
    if step % 2:
        x = x + 0.1 * mx.random.normal((32, 8), key=other)
    loss, grads = loss_and_grad(x, mx.tanh(x @ table))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    loss.item()
