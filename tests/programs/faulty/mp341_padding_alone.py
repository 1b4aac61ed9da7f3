"""A mask of padding that is inverted: the first place looks at what is empty, and at nothing else."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(8)
mx.random.seed(8)


class Reader(nn.Module):
    def __init__(self, dims=32):
        super().__init__()
        self.embed, self.attend, self.last = nn.Embedding(40, dims), nn.MultiHeadAttention(dims, 4), nn.Linear(dims, 3)
        self.first = mx.random.normal((dims,))

    def __call__(self, ids):
        x = self.embed(ids)
        mask = mx.where(ids == 0, 0.0, -1e9)[:, None, None, :]
        first = mx.broadcast_to(self.first, (ids.shape[0], 1, x.shape[-1]))
        return self.last(self.attend(first, x, x, mask)[:, 0])


model, optimizer = Reader(), optim.Adam(1e-3)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for _ in range(200):
    ids = rng.integers(1, 40, (48, 12))
    label = (ids[:, :4] < 20).sum(axis=1) % 3
    ids[np.arange(12)[None] >= rng.integers(5, 12, (48, 1))] = 0
    loss, grads = gradient(model, mx.array(ids), mx.array(label))  # MP341
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    loss.item()
