"""Train on documents in chunks; the plan of each new length, an array for each chunk, is kept for its next time."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(5)
rng = np.random.default_rng(5)
WORDS, TAGS, CHUNK, STEPS = 32, 5, 8, 10_000

model = nn.Sequential(nn.Embedding(WORDS, 8), nn.Linear(8, TAGS))
optimizer = optim.AdamW(optim.linear_schedule(3e-3, 1e-4, STEPS))
plans = {}


def plan(length):
    if length not in plans:
        plans[length] = [mx.array(start) for start in range(0, length, CHUNK)]
    return plans[length]


def loss_fn(model, words, starts):
    firsts = mx.stack(starts)
    return nn.losses.cross_entropy(model(words)[:, firsts], words[:, firsts] % TAGS, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
for length in rng.permutation(np.arange(900, 2048))[:48]:
    words = mx.array(rng.integers(0, WORDS, (2, int(length))))
    loss, grads = step(model, words, plan(int(length)))  # MP114
    optimizer.update(model, grads)
    mx.eval(model.state, optimizer.state, loss)
