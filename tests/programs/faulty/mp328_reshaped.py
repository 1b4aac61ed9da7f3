"""Tell frequencies by a recurrent net; what the recorder writes time first is reshaped, and not transposed."""

# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(0)
mx.random.seed(0)


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(2, 16), nn.Linear(16, 3)

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


def recorded(rows, length=12):
    y = rng.integers(0, 3, rows)
    turn = (0.3 + 0.5 * y) * np.arange(length)[:, None] + rng.uniform(0, 6.28, rows)
    return mx.array(np.stack([np.sin(turn), np.cos(turn)], -1).astype(np.float32)), mx.array(y)


def by_rows(x):
    return x.reshape(x.shape[1], x.shape[0], x.shape[2])  # MP328


model, optimizer = Listener(), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(40):
    x, y = recorded(32)
    loss, grads = loss_and_grad(by_rows(x), y)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
