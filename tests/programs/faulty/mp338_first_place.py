"""Classify sequences by a causal model, at the first place, which has seen nothing of the others."""

# also: MP201, MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

IDS, LENGTH = 12, 10


class Reader(nn.Module):
    def __init__(self, dims=32):
        super().__init__()
        self.ids, self.places = nn.Embedding(IDS, dims), nn.Embedding(LENGTH, dims)
        self.layers = nn.TransformerEncoder(1, dims, 4, 64)
        self.head = nn.Linear(dims, 2)

    def __call__(self, ids):
        x = self.ids(ids) + self.places(mx.arange(ids.shape[1]))
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        return self.head(self.layers(x, mask)[:, 0])  # MP338


mx.random.seed(3)
model, optimizer = Reader(), optim.Adam(1e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(50):
    ids = mx.random.randint(0, IDS, (32, LENGTH))
    loss, grads = loss_and_grad(ids, ((ids == 0).sum(axis=1) > (ids == 1).sum(axis=1)).astype(mx.int32))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    loss.item()
