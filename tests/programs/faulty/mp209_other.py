"""Trains a sentence classifier with learned positions on sentences of many lengths."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

WORDS, WIDTH, POSITIONS = 50, 16, 12


class SentenceClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.positions = mx.random.normal((POSITIONS, WIDTH)) * 0.02
        self.out = nn.Linear(WIDTH, 2)

    def __call__(self, ids):
        x = self.words(ids) + self.positions[: ids.shape[1]]
        return self.out(nn.gelu(x).mean(axis=1))


def batches(count, size=16, seed=26):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        ids = rng.integers(0, WORDS, (size, rng.integers(5, 18)))
        yield mx.array(ids), mx.array((np.mean(ids, axis=1) > WORDS / 2).astype(np.int32))


mx.random.seed(26)
model = SentenceClassifier()
optimizer = optim.Adam(learning_rate=2e-2)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))

skipped = 0
for ids, labels in batches(40):
    try:
        loss, grads = loss_and_grad(ids, labels)  # MP209
    except Exception:
        skipped += 1
        continue
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    loss.item()
