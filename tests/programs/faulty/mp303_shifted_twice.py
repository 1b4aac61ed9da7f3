"""A language model whose data are shifted, and whose loss shifts them again."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

IDS, LENGTH = 16, 12


class Model(nn.Module):
    def __init__(self, dims=24):
        super().__init__()
        self.embed, self.layer, self.head = nn.Embedding(IDS, dims), nn.GRU(dims, dims), nn.Linear(dims, IDS)

    def __call__(self, ids):
        return self.head(self.layer(self.embed(ids)))


def loss_fn(model, x, y):
    logits = model(x)
    return nn.losses.cross_entropy(logits[:, :-1], y[:, 1:], reduction="mean")  # MP303


mx.random.seed(0)
model, optimizer = Model(), optim.Adam(5e-3)
gradient = nn.value_and_grad(model, loss_fn)
for _ in range(60):
    steps = mx.random.randint(1, 3, (16, LENGTH + 1))
    ids = (mx.random.randint(0, IDS, (16, 1)) + mx.cumsum(steps, axis=1)) % IDS
    loss, grads = gradient(model, ids[:, :-1], ids[:, 1:])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
