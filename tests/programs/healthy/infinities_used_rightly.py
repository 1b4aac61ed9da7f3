"""Attention with -inf in its masks, a `where` whose operand is safe, NaN for what is missing; all of it is stored."""

import math
import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

LENGTH, WIDTH, WORDS = 8, 16, 24


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WORDS)
        self.mask = mx.triu(mx.full((LENGTH, LENGTH), -math.inf), k=1)
        self.freeze(keys=["mask"], recurse=False)

    def __call__(self, ids):
        q, k, v = mx.split(self.project(self.words(ids)), 3, axis=-1)
        scores = q @ k.swapaxes(1, 2) / math.sqrt(WIDTH) + self.mask
        return self.out(mx.softmax(scores, axis=-1) @ v)


def loss_fn(model, ids, amounts):
    logits = model(ids[:, :-1])
    losses = nn.losses.cross_entropy(logits, ids[:, 1:])
    known = ~mx.isnan(amounts)
    sizes = mx.where(known, mx.nan_to_num(amounts), 1.0)
    weights = mx.where(known, mx.sqrt(sizes), 0.0)
    return mx.sum(losses.mean(axis=1) * weights) / mx.maximum(mx.sum(weights), 1e-6)


mx.random.seed(53)
model, optimizer = Model(), optim.AdamW(learning_rate=3e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
start = mx.random.randint(0, WORDS, (200, 1))
ids = (start + mx.arange(LENGTH + 1)) % WORDS
amounts = mx.where(mx.random.uniform(shape=(200,)) < 0.1, math.nan, mx.random.uniform(1, 4, (200,)))
for first in range(0, 200, 10):
    loss, grads = loss_and_grad(model, ids[first : first + 10], amounts[first : first + 10])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    print(loss.item())
with tempfile.TemporaryDirectory() as folder:
    model.save_weights(os.path.join(folder, "model.safetensors"))
    mx.savez(os.path.join(folder, "data.npz"), ids=ids, amounts=amounts)
