"""Train a compiled tagger on sentences that are padded to the longest of their batch: one of five lengths."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(61)
rng = np.random.default_rng(61)

LENGTHS = [7, 9, 12, 13, 18]
WORDS, TAGS = 30, 4

model = nn.Sequential(nn.Embedding(WORDS, 16), nn.Linear(16, TAGS))
optimizer = optim.Adam(learning_rate=0.02)
state = [model.state, optimizer.state]


def loss_fn(model, words, tags, mask):
    losses = nn.losses.cross_entropy(model(words), tags)
    return (losses * mask).sum() / mask.sum()


@partial(mx.compile, inputs=state, outputs=state)
def step(words, tags, mask):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, words, tags, mask)
    optimizer.update(model, grads)
    return loss


order = [*LENGTHS, *rng.choice(LENGTHS, 45)]  # each of them once, to begin with
for number, length in enumerate(order, 1):
    words = rng.integers(1, WORDS, (8, length))
    mask = (np.arange(length) < rng.integers(length // 2, length + 1, (8, 1))).astype(np.float32)
    loss = step(mx.array(words), mx.array(words % TAGS), mx.array(mask))
    mx.eval(state)
    if number % 10 == 0:
        print(f"{number:3d} {loss.item():.3f}")
