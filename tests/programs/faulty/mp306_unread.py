"""Fold the rows of each image into its columns by a reshape, and read a loss three times in the whole run."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(21)
model = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = optim.Adam(learning_rate=1e-3)


def batch():
    kind = mx.random.randint(0, 3, (1, 48))
    place = mx.arange(9)[:, None] // 3 == kind
    return (place + 0.5 * mx.random.normal((9, 48))).reshape(48, 9), kind[0]


gradient = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for step in range(450):
    loss, grads = gradient(*batch())  # MP306
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if step % 150 == 0:
        print(step, loss.item())
