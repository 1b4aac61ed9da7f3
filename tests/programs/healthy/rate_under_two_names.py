"""Fit a wave; the rate is to fall by a cosine, under its own name, and another that only notes it."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, PEAK = 120, 0.05


def set_rate(optimizer, step):
    rate = 0.5 * PEAK * (1 + math.cos(math.pi * step / STEPS))
    optimizer.learning_rate = rate
    return rate


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


mx.random.seed(2)
x = mx.random.uniform(-3, 3, (256, 1))
y = mx.sin(2 * x) + 0.05 * mx.random.normal(x.shape)
model = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = optim.Adam(learning_rate=PEAK)
optimizer.base_lr = PEAK
loss_and_grad = nn.value_and_grad(model, loss_fn)
mx.eval(x, y, model.parameters())
for step in range(STEPS):
    optimizer.last_lr = rate = set_rate(optimizer, step)
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if step % 20 == 0:
        print(f"step {step}: rate {rate:.4f}, loss {loss.item():.4f}")
