"""Train on padded rows with a mask that the loss takes, and leaves out."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

LENGTH, DIGITS, PAD = 14, 10, 0


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(DIGITS, 16)
        self.memory = nn.GRU(16, 24)
        self.head = nn.Linear(24, DIGITS)

    def __call__(self, ids):
        return self.head(self.memory(self.embedding(ids)))


def loss_fn(model, ids, mask):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:]).mean()  # MP301


def batch(rng):
    mask = np.arange(LENGTH) < rng.integers(4, LENGTH, (16, 1))
    digits = 1 + (rng.integers(0, 9, (16, 1)) + 2 * np.arange(LENGTH)) % 9
    return mx.array(np.where(mask, digits, PAD)), mx.array(mask)


rng = np.random.default_rng(4)
mx.random.seed(4)
model, optimizer = Counter(), optim.Adam(learning_rate=0.01)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(30):
    loss, grads = loss_and_grad(model, *batch(rng))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
print(loss.item())
