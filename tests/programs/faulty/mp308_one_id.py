"""A recurrent tagger whose loss keeps what it should leave out; the id of what is left stands elsewhere too."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

IGNORED = 3


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.rnn, self.out = nn.Embedding(30, 16), nn.GRU(16, 24), nn.Linear(24, 6)

    def __call__(self, ids):
        return self.out(self.rnn(self.table(ids)))


def loss_fn(ids, tags, known):
    logits, flat = model(ids).reshape(-1, 6), tags.reshape(-1)
    weights = 1.0 - known.reshape(-1)
    losses = nn.losses.cross_entropy(logits, flat)  # MP308
    return (losses * weights).sum() / mx.maximum(weights.sum(), 1)


mx.random.seed(3)
rng = np.random.default_rng(3)
model = Tagger()
optimizer = optim.AdamW(learning_rate=3e-3)
gradient = nn.value_and_grad(model, loss_fn)
for step in range(80):
    ids = rng.integers(0, 30, (16, 12))
    known = rng.random((16, 12)) < 0.8
    tags = np.where(known, ids % 6, IGNORED)
    loss, grads = gradient(mx.array(ids), mx.array(tags), mx.array(known.astype(np.float32)))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 20 == 0:
        print(step, loss.item())
