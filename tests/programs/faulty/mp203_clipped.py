"""Sums the gradients of six micro-batches, and clips the sum: the limit is six times as tight as it reads."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(23)
model = nn.Sequential(nn.Linear(9, 24), nn.GELU(), nn.Linear(24, 4))
optimizer = optim.SGD(learning_rate=0.3)
judge = mx.random.normal((9, 4))


def loss_fn(model, x):
    return nn.losses.cross_entropy(model(x), mx.argmax(x @ judge, axis=1), reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(40):
    total = tree_map(mx.zeros_like, model.trainable_parameters())
    for _ in range(6):
        loss, grads = loss_and_grad(model, mx.random.normal((8, 9)))
        total = tree_map(mx.add, total, grads)
        mx.eval(total, loss)
    short, norm = optim.clip_grad_norm(total, 1.0)
    optimizer.update(model, short)  # MP203
    mx.eval(model.parameters(), optimizer.state, norm)
print(f"{loss.item():.4f}, last norm {norm.item():.2f}")
