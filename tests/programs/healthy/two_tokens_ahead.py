"""A language model with a second head, for the token after the next."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

IDS, LENGTH = 16, 12


class Model(nn.Module):
    def __init__(self, dims=24):
        super().__init__()
        self.embed, self.layer = nn.Embedding(IDS, dims), nn.GRU(dims, dims)
        self.heads = [nn.Linear(dims, IDS), nn.Linear(dims, IDS)]

    def __call__(self, ids):
        x = self.layer(self.embed(ids))
        return [head(x) for head in self.heads]


def loss_fn(model, ids):
    first, second = model(ids[:, :-1])
    near = nn.losses.cross_entropy(first, ids[:, 1:], reduction="mean")
    return near + 0.3 * nn.losses.cross_entropy(second[:, :-1], ids[:, 2:], reduction="mean")


mx.random.seed(0)
model, optimizer = Model(), optim.Adam(5e-3)
gradient = nn.value_and_grad(model, loss_fn)
for _ in range(60):
    steps = mx.random.randint(1, 3, (16, LENGTH))
    ids = (mx.random.randint(0, IDS, (16, 1)) + mx.cumsum(steps, axis=1)) % IDS
    loss, grads = gradient(model, ids)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
