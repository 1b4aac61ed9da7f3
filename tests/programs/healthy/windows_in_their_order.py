"""Windows that follow each other, unshuffled, go through a recurrent layer; and noise with the same level in a row."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

LENGTH = 16
rng = np.random.default_rng(5)
walk = np.cumsum(rng.normal(size=600)).astype(np.float32) / 10


def windows(start, count=24):
    rows = np.stack([walk[start + k : start + k + LENGTH + 1] for k in range(count)])
    return mx.array(rows[:, :-1, None]), mx.array(rows[:, -1])


def noise(count=24):
    rows = rng.normal(size=(count, LENGTH, 1)) + np.linspace(-3, 3, count)[:, None, None]
    return mx.array(rows.astype(np.float32)), mx.array(rows.mean(axis=(1, 2)).astype(np.float32))


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory, self.head = nn.GRU(1, 24), nn.Linear(24, 1)

    def __call__(self, x):
        return self.head(self.memory(x)[:, -1])[:, 0]


def train(batch):
    mx.random.seed(5)
    model, optimizer = Forecast(), optim.Adam(learning_rate=5e-3)
    gradient = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for step in range(30):
        loss, grads = gradient(*batch(step))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    return loss.item()


print(train(lambda step: windows(8 * step)), train(lambda step: noise()))
