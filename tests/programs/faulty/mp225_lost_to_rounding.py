"""Weights of 16 bits are to learn another task, at a rate that is too small to change the last bit of most."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

WIDE = 48


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x).astype(mx.float32)[:, 0], y)


def train(model, rate, updates, dtype, sign):
    optimizer, gradient = optim.AdamW(learning_rate=rate, weight_decay=0.0), nn.value_and_grad(model, loss_fn)
    for step in range(updates):
        x = mx.random.normal((64, WIDE)).astype(dtype)
        loss, grads = gradient(model, x, (x[:, 0] + sign * x[:, 1]).astype(mx.float32))  # MP225
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
        if step % 40 == 0:
            print(step, loss.item())


mx.random.seed(1)
model = nn.Sequential(nn.Linear(WIDE, WIDE), nn.Tanh(), nn.Linear(WIDE, 1))
train(model, 3e-3, 80, mx.float32, 1)
model.update(tree_map(lambda one: one.astype(mx.bfloat16), model.parameters()))
train(model, 2e-5, 200, mx.bfloat16, -1)
# also: MP306
