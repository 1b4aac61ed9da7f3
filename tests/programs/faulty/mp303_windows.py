"""Draws windows of ids and of what is to follow them in a generator, which takes both from the same place."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

TEXT = "she sells sea shells by the sea shore, and he sells none of them at all. " * 20


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attend, self.norm, self.wide = (
            nn.MultiHeadAttention(width, 2),
            nn.LayerNorm(width),
            nn.Linear(width, width),
        )

    def __call__(self, x, mask):
        h = self.norm(x)
        return x + self.attend(h, h, h, mask) + nn.relu(self.wide(h))


class Model(nn.Module):
    def __init__(self, characters, width=24):
        super().__init__()
        self.embed, self.place = nn.Embedding(characters, width), nn.Embedding(20, width)
        self.layer, self.out = Layer(width), nn.Linear(width, characters)

    def __call__(self, ids):
        length = ids.shape[1]
        x = self.embed(ids) + self.place(mx.arange(length))
        return self.out(self.layer(x, nn.MultiHeadAttention.create_additive_causal_mask(length)))


def windows(ids, length, size, rng):
    while True:
        starts = rng.integers(0, len(ids) - length - 1, size)
        given = np.stack([ids[k : k + length] for k in starts])
        wanted = np.stack([ids[k : k + length] for k in starts])  # MP303
        yield mx.array(given), mx.array(wanted)


def loss_of(model, ids, following):
    return nn.losses.cross_entropy(model(ids), following, reduction="mean")


characters = sorted(set(TEXT))
ids = np.array([characters.index(one) for one in TEXT], dtype=np.int32)
mx.random.seed(7)
model = Model(len(characters))
optimizer = optim.AdamW(2e-3)
step = nn.value_and_grad(model, loss_of)
for number, (x, y) in enumerate(windows(ids, 20, 8, np.random.default_rng(0))):
    loss, grads = step(model, x, y)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number == 60:
        break
