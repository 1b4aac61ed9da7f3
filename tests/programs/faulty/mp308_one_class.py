"""Weigh the positions that are left over in place of those that hold text: their label is always the same."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(90)
model = nn.Sequential(nn.Embedding(30, 16), nn.Conv1d(16, 24, 3, padding=1), nn.ReLU(), nn.Linear(24, 5))
optimizer = optim.Adam(learning_rate=3e-3)


def batch():
    lengths = mx.random.randint(4, 12, (32, 1))
    text = mx.arange(12)[None] < lengths
    words = mx.where(text, mx.random.randint(1, 30, (32, 12)), 0)
    return words, mx.where(text, words % 5, 0), text


def loss_fn(words, labels, text):
    each = nn.losses.cross_entropy(model(words), labels)  # MP308
    empty = 1 - text.astype(mx.float32)
    return (each * empty).sum() / empty.sum()


gradient = nn.value_and_grad(model, loss_fn)
for step in range(120):
    loss, grads = gradient(*batch())
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
print(loss.item())
