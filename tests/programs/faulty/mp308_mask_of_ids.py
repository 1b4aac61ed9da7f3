"""A tagger whose mask is made of its own ids, the wrong way round; what is left carries one tag."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

EMPTY = 0


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(24, 16), nn.Linear(16, 5)

    def __call__(self, ids):
        return self.out(nn.relu(self.table(ids)))


def loss_fn(model, ids, tags):
    empty = ids == EMPTY
    losses = nn.losses.cross_entropy(model(ids), tags)  # MP308
    return mx.where(empty, losses, 0).sum() / empty.sum()


mx.random.seed(19)
rng = np.random.default_rng(19)
model, optimizer = Tagger(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, loss_fn)
for step in range(80):
    ids = rng.integers(1, 24, (16, 10))
    ids[rng.random((16, 10)) < 0.25] = EMPTY
    loss, grads = gradient(model, mx.array(ids), mx.array(ids % 5))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 20 == 0:
        print(step, loss.item())
