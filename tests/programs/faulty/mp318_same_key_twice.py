"""Makes two views of each batch in a function that draws both with one key; the gradient call is elsewhere."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def views(x, key):
    first = x + 0.3 * mx.random.normal(x.shape, key=key)
    second = x + 0.3 * mx.random.normal(x.shape, key=key)  # MP318
    return first, second


def contrast(model, first, second):
    logits = model(first) @ model(second).T / 4
    return nn.losses.cross_entropy(logits, mx.arange(first.shape[0]), reduction="mean")


mx.random.seed(1)
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16)), optim.Adam(1e-3)
step, key = nn.value_and_grad(model, contrast), mx.random.key(4)
for _ in range(60):
    key, now = mx.random.split(key)
    one, other = views(mx.random.normal((16, 8)), now)
    loss, grads = step(model, one, other)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
