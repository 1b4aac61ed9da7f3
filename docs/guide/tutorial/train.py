"""Train a small character model to predict the next character of a text."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, BATCH, LENGTH, WIDTH = 400, 16, 24, 32

text = "the quick brown fox jumps over the lazy dog and runs away. " * 40
letters = sorted(set(text))
ids = mx.array([letters.index(letter) for letter in text])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(letters), WIDTH)
        self.recurrent = nn.GRU(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, len(letters))

    def __call__(self, tokens):
        return self.head(self.recurrent(self.embedding(tokens)))


def batch():
    start = mx.random.randint(0, len(text) - LENGTH, (BATCH, 1))
    return ids[start + mx.arange(LENGTH)]


def loss_fn(model, tokens):
    return nn.losses.cross_entropy(model(tokens), tokens, reduction="mean")


mx.random.seed(0)
model, optimizer = Model(), optim.AdamW(learning_rate=3e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)

for step in range(STEPS):
    loss, grads = loss_and_grad(model, batch())
    optimizer.update(model, grads)

print(f"loss after {STEPS} steps: {loss.item():.3f}")
