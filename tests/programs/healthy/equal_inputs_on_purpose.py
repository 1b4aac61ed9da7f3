"""Rows that are given twice on purpose: as a target, for dropout to make two of them, and to two networks."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 12))
        self.judge = nn.Sequential(nn.Linear(12, 8), nn.ReLU())
        self.judge.freeze()

    def __call__(self, x):
        return self.inner(x)


def reconstruction(model, x, target):
    made = model(x)
    return ((made - target) ** 2).mean() + ((model.judge(made) - model.judge(target)) ** 2).mean()


def dropped_twice(model, x):
    a, b = model(x), model(x)
    a, b = (one / mx.linalg.norm(one, axis=-1, keepdims=True) for one in (a, b))
    return nn.losses.cross_entropy(5 * a @ b.T, mx.arange(x.shape[0]), reduction="mean")


def fit(model, loss_fn, copies):
    optimizer, gradient = optim.Adam(learning_rate=2e-3), nn.value_and_grad(model, loss_fn)
    for step in range(60):
        rows = rng.normal(size=(32, 12)).astype(np.float32)
        loss, grads = gradient(model, *(mx.array(rows) for _ in range(copies)))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        if step % 20 == 0:
            print(step, loss.item())


mx.random.seed(13)
rng = np.random.default_rng(13)
fit(Autoencoder(), reconstruction, 2)
fit(nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 8)), dropped_twice, 1)
