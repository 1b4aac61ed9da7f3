"""Train on padded sequences with a token loss that is masked and divided by the number of real tokens."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

VOCABULARY, PAD, LENGTH = 13, 0, 12


def padded_batch(rng, size=24):
    tokens = np.full((size, LENGTH), PAD)
    lengths = rng.integers(4, LENGTH + 1, size)
    for row, length in zip(tokens, lengths, strict=True):
        row[:length] = 1 + (rng.integers(0, 12) + 5 * np.arange(length)) % 12
    return mx.array(tokens), mx.array(lengths)


class Tagger(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.rnn = nn.RNN(width, width)
        self.out = nn.Linear(width, VOCABULARY)

    def __call__(self, tokens):
        return self.out(self.rnn(self.embedding(tokens)))


def loss_fn(model, tokens, lengths):
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    mask = mx.arange(targets.shape[1])[None] < lengths[:, None] - 1
    losses = nn.losses.cross_entropy(model(inputs), targets) * mask
    return losses.sum() / mask.sum()


rng = np.random.default_rng(47)
mx.random.seed(47)
model = Tagger()
optimizer = optim.Adam(learning_rate=0.02)
loss_and_grad = nn.value_and_grad(model, loss_fn)
history = []
for _ in range(35):
    loss, grads = loss_and_grad(model, *padded_batch(rng))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    history.append(loss.item())
print(f"loss {history[0]:.3f} -> {history[-1]:.3f}")
