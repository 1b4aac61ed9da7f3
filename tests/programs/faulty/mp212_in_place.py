"""Clip gradients as PyTorch does, in place, which MLX does not: the optimizer gets them as they were."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
model, optimizer = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1)), optim.SGD(0.02)
gradient = nn.value_and_grad(model, lambda m, x, y: mx.mean(mx.square(m(x)[:, 0] - y)))
for i in range(120):
    x = mx.random.normal((32, 6))
    y = x.sum(axis=1) * mx.where(mx.random.uniform(shape=(32,)) < 0.05, 20.0, 1.0)
    loss, grads = gradient(model, x, y)
    optim.clip_grad_norm(grads, max_norm=1.0)  # MP212
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if i % 40 == 0:
        print(i, loss.item())
