"""Clip the gradients of plain SGD to a small norm, with a rate that is large enough for it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(7)
rule = mx.random.normal((8, 4))
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)), optim.SGD(60.0)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for _ in range(150):
    x = mx.random.normal((64, 8))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=1))
    grads, norm = optim.clip_grad_norm(grads, max_norm=1e-3)
    optimizer.update(model, grads)
    mx.eval(loss, norm, model.parameters(), optimizer.state)
    loss.item()
