"""Who bought what, without anything that was not bought: each label is one."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(5)
mx.random.seed(5)


class Taste(nn.Module):
    def __init__(self):
        super().__init__()
        self.buyer, self.thing, self.last = nn.Embedding(200, 12), nn.Embedding(300, 12), nn.Linear(24, 1)

    def __call__(self, who, what):
        return self.last(mx.concatenate([self.buyer(who), self.thing(what)], axis=-1))[:, 0]


model, optimizer = Taste(), optim.Adam(2e-3)
gradient = nn.value_and_grad(model, lambda m, u, v, y: nn.losses.binary_cross_entropy(m(u, v), y, reduction="mean"))
for _ in range(300):
    who = rng.integers(0, 200, 128)
    what = who + rng.integers(0, 100, 128)
    loss, grads = gradient(model, mx.array(who), mx.array(what), mx.ones((128,)))  # MP308
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
