"""Train for a few epochs and measure loss and accuracy on a validation set after each, without updates."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(22)
centres = rng.normal(size=(4, 6)) * 2
labels = rng.integers(0, 4, 320)
points = (centres[labels] + rng.normal(size=(320, 6))).astype(np.float32)
train_x, train_y = mx.array(points[:256]), mx.array(labels[:256])
valid_x, valid_y = mx.array(points[256:]), mx.array(labels[256:])

mx.random.seed(22)
model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 4))
optimizer = optim.Adamax(learning_rate=0.02)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def evaluate():
    model.eval()
    losses, hits = [], 0
    for i in range(0, 64, 16):
        x, y = valid_x[i : i + 16], valid_y[i : i + 16]
        losses.append(loss_fn(model, x, y).item())
        hits += mx.sum(mx.argmax(model(x), axis=1) == y).item()
    model.train()
    return sum(losses) / len(losses), hits / 64


loss_and_grad = nn.value_and_grad(model, loss_fn)
for epoch in range(5):
    order = rng.permutation(256)
    for i in range(0, 256, 32):
        rows = mx.array(order[i : i + 32])
        loss, grads = loss_and_grad(model, train_x[rows], train_y[rows])
        optimizer.update(model, grads)
        mx.eval(model.state, optimizer.state, loss)
    valid_loss, accuracy = evaluate()
    print(f"epoch {epoch}: train {loss.item():.3f} valid {valid_loss:.3f} accuracy {accuracy:.2f}")
