"""Learn one class after another with a small memory of those before; and gather one class a call into an update."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(77)
centres = 2 * mx.random.normal((4, 8))


def of(kind, count=16):
    return centres[kind] + mx.random.normal((count, 8)), mx.full((count,), kind)


def fit(model, optimizer, steps, batches):
    gradient = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    for step in range(steps):
        total, parts = None, batches(step)
        for x, y in parts:
            loss, grads = gradient(x, y)
            grads = tree_map(lambda one: one / len(parts), grads)
            total = grads if total is None else tree_map(mx.add, total, grads)
        optimizer.update(model, total)
        mx.eval(loss, model.parameters(), optimizer.state)
    print(loss.item())


first = nn.Linear(8, 4)
fit(first, optim.SGD(learning_rate=0.02), 80, lambda step: [of(step // 20)])
second = nn.Linear(8, 4)
fit(second, optim.SGD(learning_rate=0.05), 60, lambda step: [of(kind) for kind in range(4)])
