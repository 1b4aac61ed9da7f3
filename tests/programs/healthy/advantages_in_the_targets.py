"""A policy's gradient by way of the cross-entropy: each action that was taken has its advantage for a target."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
rule = mx.random.normal((6, 4))
model, optimizer = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4)), optim.Adam(learning_rate=3e-3)


def loss_fn(m, x, targets):
    return nn.losses.cross_entropy(m(x), targets, reduction="mean")


gradient = nn.value_and_grad(model, loss_fn)
mean = 0.0
for i in range(150):
    x = mx.random.normal((64, 6))
    actions = mx.random.categorical(model(x))
    rewards = (actions == mx.argmax(x @ rule, axis=1)).astype(mx.float32)
    mean = 0.9 * mean + 0.1 * rewards.mean().item()
    targets = (mx.arange(4)[None] == actions[:, None]) * (rewards - mean)[:, None]
    loss, grads = gradient(model, x, targets)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if i % 50 == 0:
        print(i, mean)
