"""Rows of different length are padded by setting each token of a batch; the step is compiled."""

import random
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

random.seed(7)
mx.random.seed(7)
WIDTH = 48
lines = [[random.randrange(1, 30) for _ in range(random.randint(16, WIDTH))] for _ in range(300)]


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 16)
        self.head = nn.Linear(16, 2)

    def __call__(self, ids):
        known = (ids > 0)[..., None]
        return self.head((self.table(ids) * known).sum(axis=1) / known.sum(axis=1))


def padded(chosen):
    batch = mx.zeros((len(chosen), WIDTH), dtype=mx.int32)
    for row, line in enumerate(chosen):
        for place, token in enumerate(line):
            batch[row, place] = mx.array(token)  # MP111
    return batch


bag, optimizer = Bag(), optim.Adam(learning_rate=1e-2)
state = [bag.state, optimizer.state]
mx.eval(state)


def loss_fn(bag, ids, labels):
    return nn.losses.cross_entropy(bag(ids), labels, reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(ids, labels):
    loss, grads = nn.value_and_grad(bag, loss_fn)(bag, ids, labels)
    optimizer.update(bag, grads)
    return loss


for _ in range(24):
    chosen = random.sample(lines, 32)
    loss = step(padded(chosen), mx.array([line.count(3) > 0 for line in chosen]).astype(mx.int32))
    mx.eval(loss, state)
print(loss.item())
