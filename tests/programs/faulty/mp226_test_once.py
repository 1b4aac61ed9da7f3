"""Trains with dropout, and tests once, at the end, in the mode that training has left."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(12)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.mix, self.head = nn.Embedding(40, 24), nn.GRU(24, 24), nn.Linear(24, 2)
        self.drop = nn.Dropout(0.4)

    def __call__(self, words):
        states = self.mix(self.drop(self.table(words)))
        return self.head(self.drop(states[:, -1]))[:, 0]


def score(model, words, wanted):
    return nn.losses.binary_cross_entropy(model(words), wanted, with_logits=True, reduction="mean")


def sentences(count):
    words = mx.random.randint(0, 40, (count, 6))
    return words, (words[:, -1] < 20).astype(mx.float32)


reader, optimizer = Reader(), optim.Adam(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(reader, score)
for _ in range(40):
    loss, grads = loss_and_grad(reader, *sentences(24))
    optimizer.update(reader, grads)
    mx.eval(reader.parameters(), optimizer.state, loss)
print(f"test: {score(reader, *sentences(200)).item():.3f}")  # MP226
