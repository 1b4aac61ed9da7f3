"""Fit a noisy regression with tiny batches and a high learning rate: the loss jumps about, and falls."""

from itertools import pairwise

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(48)
truth = mx.array([2.0, -1.5, 1.0, 0.5])
model = nn.Linear(4, 1)
optimizer = optim.SGD(learning_rate=0.12)


def loss_fn(model, x, y):
    return mx.mean(mx.square(model(x).squeeze(-1) - y))


loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(60):
    x = mx.random.normal((6, 4))
    y = x @ truth + 0.5 * mx.random.normal((6,))
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
rises = sum(b > a for a, b in pairwise(losses))
print(f"mean loss {sum(losses[:10]) / 10:.2f} -> {sum(losses[-10:]) / 10:.2f}, {rises} of 59 steps rose")
