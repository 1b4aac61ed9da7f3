"""Trains a logistic regression in windows of four small batches."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

WINDOW, UPDATES = 4, 20

mx.random.seed(14)
model = nn.Linear(8, 1)
optimizer = optim.SGD(learning_rate=0.2)
truth = mx.random.normal((8, 1))


def small_batch(size=8):
    x = mx.random.normal((size, 8))
    return x, (x @ truth > 0).astype(mx.float32)


def loss_fn(x, y):
    return nn.losses.binary_cross_entropy(model(x), y, with_logits=True, reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)
for update in range(UPDATES):
    losses, window = [], []
    for _ in range(WINDOW):
        loss, grads = loss_and_grad(*small_batch())
        mx.eval(loss, grads)
        losses.append(loss.item())
        window.append(grads)
    optimizer.update(model, tree_map(lambda *parts: sum(parts), *window))  # MP203
    mx.eval(model.parameters(), optimizer.state)
    if update % 5 == 0:
        print(f"update {update}: {sum(losses) / WINDOW:.4f}")
