"""Classify points of three rings by an MLP: shuffled mini-batches, AdamW, a validation after every epoch."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

POINTS, CLASSES, BATCH, EPOCHS = 768, 3, 64, 8


def rings(points):
    labels = mx.arange(points) % CLASSES
    angles = mx.random.uniform(0, 6.2832, (points,))
    radii = labels + 1 + 0.15 * mx.random.normal((points,))
    return mx.stack([radii * mx.cos(angles), radii * mx.sin(angles)], axis=1), labels


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(0)
x, y = rings(POINTS)
test_x, test_y = rings(POINTS // 4)
model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, CLASSES))
optimizer = optim.AdamW(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for epoch in range(EPOCHS):
    order = mx.random.permutation(POINTS)
    for start in range(0, POINTS, BATCH):
        index = order[start : start + BATCH]
        loss, grads = loss_and_grad(model, x[index], y[index])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
    accuracy = mx.mean(mx.argmax(model(test_x), axis=1) == test_y).item()
    print(f"epoch {epoch}: loss {loss.item():.4f}, accuracy {accuracy:.3f}")
if accuracy < 0.9:
    raise SystemExit("it has not learned")
