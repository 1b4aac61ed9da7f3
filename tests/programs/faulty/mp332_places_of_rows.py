"""Name the third id of sequences by a transformer whose positions are taken along the batch."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

IDS, LENGTH = 10, 12


class Pointer(nn.Module):
    def __init__(self, dims=32):
        super().__init__()
        self.ids, self.places = nn.Embedding(IDS, dims), nn.Embedding(64, dims)
        self.layers, self.head = nn.TransformerEncoder(1, dims, 4, 64), nn.Linear(dims, IDS)

    def __call__(self, ids):
        x = self.ids(ids)
        x = x + self.places(mx.arange(x.shape[0]))[:, None]  # MP332
        return self.head(self.layers(x, None)[:, 0])


mx.random.seed(0)
model, optimizer = Pointer(), optim.Adam(1e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(40):
    ids = mx.random.randint(0, IDS, (32, LENGTH))
    loss, grads = loss_and_grad(ids, ids[:, 2])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
