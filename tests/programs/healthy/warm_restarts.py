"""Restart on purpose: a schedule that came to its end, an endless one, and after long phases at one rate."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

CYCLES = 5

mx.random.seed(44)
x = mx.random.normal((64, 4))
y = mx.cos(x[:, :1]) + 0.2 * x[:, 1:2]


def cosine_to_its_end():
    return optim.AdamW(optim.cosine_decay(1e-2, 30, 1e-4)), 30


def falling_for_ever():
    return optim.Adam(optim.exponential_decay(1e-2, 0.95)), 30


def one_rate_for_long():
    return optim.Adam(2e-3), 600


for made in (cosine_to_its_end, falling_for_ever, one_rate_for_long):
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    loss_and_grad = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))
    for _ in range(CYCLES):
        optimizer, updates = made()
        for _ in range(updates):
            loss, grads = loss_and_grad(model, x, y)
            optimizer.update(model, grads)
            mx.eval(loss, model.parameters(), optimizer.state)
    print(f"{made.__name__}: {loss.item():.4f}")
