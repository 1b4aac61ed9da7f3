"""Train a classifier to its end, then train it on other classes: the second loss begins high and is not the first's."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(100)
model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 12))
first_task, second_task = mx.random.normal((2, 6, 12))


def batch(task):
    x = mx.random.normal((64, 6))
    return x, mx.argmax(x @ task, axis=1)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def step(loss_and_grad, optimizer, x, y):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.state, optimizer.state)
    return loss


x, y = batch(first_task)  # few enough to be learned by heart
optimizer = optim.Adam(learning_rate=0.02)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(300):
    loss = step(loss_and_grad, optimizer, x, y)
print(f"first {loss.item():.6f}")

optimizer = optim.AdamW(learning_rate=3e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = [step(loss_and_grad, optimizer, *batch(second_task)).item() for _ in range(150)]
print(f"second {losses[0]:.3f} -> {losses[-1]:.3f}")
