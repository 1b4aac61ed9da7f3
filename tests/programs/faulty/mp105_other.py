"""Trains a classifier of points on two rings and counts its correct answers over the whole run."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, BATCH = 40, 64

mx.random.seed(8)
model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = optim.Adam(learning_rate=1e-2)


def rings():
    ring = mx.random.randint(0, 2, (BATCH,))
    angle = mx.random.uniform(0, 6.2832, (BATCH,))
    radius = 1.0 + ring + 0.1 * mx.random.normal((BATCH,))
    return mx.stack([radius * mx.cos(angle), radius * mx.sin(angle)], axis=1), ring


def loss_fn(points, ring):
    logits = model(points)
    return nn.losses.cross_entropy(logits, ring, reduction="mean"), logits


loss_and_grad = nn.value_and_grad(model, loss_fn)
correct = mx.array(0)
for _ in range(STEPS):
    points, ring = rings()
    (loss, logits), grads = loss_and_grad(points, ring)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    correct = correct + mx.sum(mx.argmax(logits, axis=1) == ring)  # MP105

print(f"accuracy over the run: {correct.item() / (STEPS * BATCH):.3f}")
