"""Two views of each row are to find one another among all rows of the batch; the loss is read once an epoch."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(75)
model, optimizer = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)), optim.Adam(2e-3)


def loss_fn(one, other):
    a, b = model(one), model(other)
    a, b = (z / mx.linalg.norm(z, axis=1, keepdims=True) for z in (a, b))
    return nn.losses.cross_entropy(a @ b.T / 0.5, mx.arange(one.shape[0]), reduction="mean")


gradient = nn.value_and_grad(model, loss_fn)
for epoch in range(4):
    for _ in range(40):
        rows = mx.random.normal((48, 16))
        loss, grads = gradient(*(rows + 0.3 * mx.random.normal(rows.shape) for _ in range(2)))
        optimizer.update(model, grads)
        mx.eval(model.state, optimizer.state)
    print(epoch, loss.item())
