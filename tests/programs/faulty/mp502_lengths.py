"""Train a compiled tagger on batches that are each padded to their own longest sentence, never to the same length."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(64)
rng = np.random.default_rng(64)
WORDS, TAGS = 30, 4

model = nn.Sequential(nn.Embedding(WORDS, 16), nn.Linear(16, TAGS))
optimizer = optim.Adam(learning_rate=0.02)
state = [model.state, optimizer.state]


def loss_fn(model, words, tags):
    return nn.losses.cross_entropy(model(words), tags, reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(words, tags):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, words, tags)
    optimizer.update(model, grads)
    return loss


for number, length in enumerate(rng.permutation(np.arange(5, 45)), 1):
    words = rng.integers(1, WORDS, (8, int(length)))
    loss = step(mx.array(words), mx.array(words % TAGS))  # MP502
    mx.eval(state)
    if number % 10 == 0:
        print(f"{number:3d} {loss.item():.3f}")
