"""Validate on data of the same scale in smaller batches, and look at single rows and at noise now and then."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(99)
model, optimizer = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 3)), optim.Adam(learning_rate=3e-3)
rule = mx.random.normal((7, 3))
gradient = nn.value_and_grad(model, lambda x: nn.losses.cross_entropy(model(x), mx.argmax(x @ rule, axis=1)).mean())


def rows(count, scale=1.0):
    x = scale * mx.random.normal((count, 7))
    mx.eval(x)
    return x


for step in range(100):
    loss, grads = gradient(rows(48))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 10 == 9:
        x = rows(20, 1.3)
        print(step, loss.item(), (model(x).argmax(axis=1) == (x @ rule).argmax(axis=1)).mean().item())
        mx.eval(model(rows(1)), model(rows(20, 8.0)))
