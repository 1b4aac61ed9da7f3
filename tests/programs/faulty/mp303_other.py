"""Train a character-level GRU on a repeated sentence, cutting windows with NumPy."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

TEXT = "the quick brown fox jumps over the lazy dog and runs back home again. " * 20
CHARS = sorted(set(TEXT))
DATA = np.array([CHARS.index(c) for c in TEXT], dtype=np.int32)
WINDOW = 16

mx.random.seed(1)
rng = np.random.default_rng(1)


class CharRNN(nn.Module):
    def __init__(self, vocab, width=32):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.gru = nn.GRU(width, width)
        self.out = nn.Linear(width, vocab)

    def __call__(self, ids):
        return self.out(self.gru(self.embed(ids)))


def get_batch(size=8):
    starts = rng.integers(0, len(DATA) - WINDOW - 1, size)
    inputs = np.stack([DATA[s : s + WINDOW] for s in starts])
    targets = np.stack([DATA[s : s + WINDOW] for s in starts])
    return mx.array(inputs), mx.array(targets)


def loss_fn(model, inputs, targets):
    return nn.losses.cross_entropy(model(inputs), targets, reduction="mean")


model = CharRNN(len(CHARS))
optimizer = optim.AdamW(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)

first = None
for _ in range(25):
    inputs, targets = get_batch()
    loss, grads = loss_and_grad(model, inputs, targets)  # MP303
    grads, _ = optim.clip_grad_norm(grads, 1.0)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    first = first or loss.item()
print(f"characters: {first:.2f} -> {loss.item():.2f}")
