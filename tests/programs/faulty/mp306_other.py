"""Train an MLP on three Gaussian clusters, drawing a fresh permutation of the rows for every step."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(9)
rng = np.random.default_rng(9)

centres = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
labels = rng.integers(0, 3, 300)
points = centres[labels] + rng.normal(0, 0.4, (300, 2))

model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
model.layers[-1].weight *= 0.1  # begin close to the uniform guess
optimizer = optim.SGD(learning_rate=0.05)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(60):
    x = points[rng.permutation(300)[:64]]
    y = labels[rng.permutation(300)[:64]]
    loss, grads = loss_and_grad(model, mx.array(x.astype(np.float32)), mx.array(y))
    optimizer.update(model, grads)  # MP306
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())

print(f"first ten {np.mean(losses[:10]):.3f}, last ten {np.mean(losses[-10:]):.3f}")
