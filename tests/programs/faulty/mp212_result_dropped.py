"""Gradients of heavy-tailed targets are clipped by norm, and the result is not used."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(15)
net = nn.Sequential(nn.Linear(4, 24), nn.GELU(), nn.Linear(24, 1))
optimizer = optim.SGD(learning_rate=1e-3)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
for step in range(60):
    x = mx.random.normal((32, 4))
    loss, grads = gradient(x, 20 * x.sum(axis=1, keepdims=True))
    optim.clip_grad_norm(grads, max_norm=1.0)  # MP212
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state, loss)
print(loss.item())
