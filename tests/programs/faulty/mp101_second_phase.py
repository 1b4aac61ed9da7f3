"""Warms up with a loss that is read at every step, then trains on and evaluates nothing until the end."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
model = nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 1))
optimizer = optim.AdamW(learning_rate=2e-3)
value_and_grad = nn.value_and_grad(model, lambda model, x, y: nn.losses.huber_loss(model(x)[:, 0], y, reduction="mean"))


def batch():
    x = mx.random.normal((32, 6))
    return x, mx.sin(x[:, 0]) + 0.5 * x[:, 1]


def warm_up(steps):
    for _ in range(steps):
        loss, grads = value_and_grad(model, *batch())
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()


def train(steps):
    for _ in range(steps):
        _, grads = value_and_grad(model, *batch())
        optimizer.update(model, grads)  # MP101


warm_up(40)
train(300)
mx.eval(model.parameters())

# also: MP102
