"""Minimise a summed (not averaged) squared error with a learning rate chosen to suit it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

BATCH = 100


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y, reduction="sum")


mx.random.seed(46)
truth = mx.random.normal((6, 2))
model = nn.Linear(6, 2)
optimizer = optim.SGD(learning_rate=0.1 / BATCH)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(35):
    x = mx.random.normal((BATCH, 6))
    loss, grads = loss_and_grad(model, x, x @ truth)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"summed loss {losses[0]:.1f} -> {losses[-1]:.1f}")
