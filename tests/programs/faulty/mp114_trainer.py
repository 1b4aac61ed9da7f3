"""Train a compiled tagger whose loss weighs words by tables made in it: each new length is a trace with its own."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(4)
rng = np.random.default_rng(4)
WORDS, TAGS, CHUNKS, STEPS = 32, 5, 480, 20_000

model = nn.Sequential(nn.Embedding(WORDS, 8), nn.Linear(8, TAGS))
optimizer = optim.AdamW(optim.cosine_decay(3e-3, STEPS))
state = [model.state, optimizer.state]


def loss_fn(model, words, tags):
    lost = nn.losses.cross_entropy(model(words), tags, reduction="sum")
    weights = mx.concatenate([mx.array([words.shape[1] / (1.0 + k)]) for k in range(CHUNKS)])
    return lost * weights.max()


@partial(mx.compile, inputs=state, outputs=state)
def step(words, tags):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, words, tags)
    optimizer.update(model, grads)
    return loss


for length in rng.permutation(np.arange(16, 2048))[:48]:
    words = mx.array(rng.integers(0, WORDS, (2, int(length))))
    loss = step(words, words % TAGS)  # MP114
    mx.eval(state, loss)
# also: MP502, MP103
