"""Batches of one-hot rows: each has the same shape, the same sum, and zeros nearly everywhere."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
CLASSES = 512
ids = mx.random.randint(1, 100, (400,))
rows = (ids[:, None] == mx.arange(CLASSES)).astype(mx.float32)
model = nn.Sequential(nn.Linear(CLASSES, 16), nn.Linear(16, CLASSES))
optimizer = optim.Adam(learning_rate=1e-2)


def loss_fn(model, x):
    return nn.losses.cross_entropy(model(x), x, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
for _ in range(40):
    order = mx.random.permutation(400)[:64]
    loss, grads = step(model, rows[order])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
