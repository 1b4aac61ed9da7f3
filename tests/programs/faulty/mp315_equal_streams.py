"""Cuts one text into streams that all begin at its start: a recurrent model is given equal rows at every step."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

LETTERS, STREAMS, LENGTH = 12, 16, 20


class Model(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.embed, self.cell, self.out = nn.Embedding(LETTERS, width), nn.GRU(width, width), nn.Linear(width, LETTERS)

    def __call__(self, ids):
        return self.out(self.cell(self.embed(ids)))


text = np.random.default_rng(3).integers(0, LETTERS, 4000)
mx.random.seed(3)
model, optimizer = Model(), optim.Adam(3e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for k in range(60):
    rows = mx.array(np.tile(text[k * LENGTH : (k + 1) * LENGTH + 1], (STREAMS, 1)))
    loss, grads = step(rows[:, :-1], rows[:, 1:])  # MP315
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
