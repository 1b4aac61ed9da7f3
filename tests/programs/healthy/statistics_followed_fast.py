"""Batch normalisation that follows its batches fast while it learns, and its statistics gathered anew at the end."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
rule = mx.random.normal((8, 3))
norm = nn.BatchNorm(24, momentum=0.4)
model = nn.Sequential(nn.Linear(8, 24), norm, nn.ReLU(), nn.Linear(24, 3))
optimizer = optim.Adam(learning_rate=2e-3)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(60):
    x = mx.random.normal((64, 8))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=1))
    optimizer.update(model, grads)
    mx.eval(model.state, optimizer.state)
for count in range(1, 9):
    norm.momentum = 1 / count  # a mean of all batches: the first counts whole
    model(mx.random.normal((64, 8)))
    mx.eval(model.state)
model.eval()
x = mx.random.normal((256, 8))
print(loss.item(), mx.mean(mx.argmax(model(x), axis=1) == mx.argmax(x @ rule, axis=1)).item())
