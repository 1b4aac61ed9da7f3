"""Train an ensemble of three classifiers one after the other, each on its own bootstrap sample."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def build(width):
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2))


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def fit(model, optimizer, x, y, steps=30):
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    seen = []
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        seen.append(loss.item())
    return seen


mx.random.seed(21)
x = mx.random.normal((128, 4))
y = (x[:, 0] * x[:, 1] > 0).astype(mx.int32)
members = [
    (build(16), optim.Adam(learning_rate=0.05)),
    (build(24), optim.SGD(learning_rate=0.3, momentum=0.95)),
    (build(32), optim.Lion(learning_rate=0.02)),
]
for model, optimizer in members:
    rows = mx.random.randint(0, 128, (128,))
    losses = fit(model, optimizer, x[rows], y[rows])
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
votes = sum(mx.argmax(model(x), axis=1) for model, _ in members)
print("ensemble accuracy", mx.mean((votes >= 2) == y).item())
