"""Train a small classifier on two rings of points, reading the loss with item() after the update."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
angle = mx.random.uniform(0, 2 * math.pi, (256,))
label = mx.arange(256) % 2
radius = 0.5 + label
points = mx.stack([radius * mx.cos(angle), radius * mx.sin(angle)], axis=1)

model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = optim.SGD(learning_rate=0.5, momentum=0.9)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)
history = []
for step in range(40):
    batch = slice(64 * (step % 4), 64 * (step % 4 + 1))
    loss, grads = loss_and_grad(model, points[batch], label[batch])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    history.append(loss.item())
print(f"loss {history[0]:.3f} -> {history[-1]:.3f}")
