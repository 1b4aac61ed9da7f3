"""A callback sets the rate before each update: a short warm-up, then a cosine that ends at next to nothing."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

TOTAL, PEAK, WARM = 1000, 4e-3, 80


def rate_at(step):
    if step < WARM:
        return PEAK * (step + 1) / WARM
    return PEAK * (1 + math.cos(math.pi * (step - WARM) / (TOTAL - WARM))) / 2


mx.random.seed(0)
rule = mx.random.normal((8, 4))
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 4)), optim.Adam(learning_rate=0.1)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for step in range(TOTAL):
    optimizer.learning_rate = rate_at(step)
    x = mx.random.normal((32, 8))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 200 == 0:
        print(step, loss.item())
