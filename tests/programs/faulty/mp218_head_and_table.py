"""Tie the last layer of a language model to its table by assignment."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
IDS = 40


class Words(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.table = nn.Embedding(IDS, width)
        self.mix = nn.GRU(width, width)
        self.decoder = nn.Linear(width, IDS)
        self.decoder.weight = self.table.weight  # MP218

    def __call__(self, ids):
        return self.decoder(self.mix(self.table(ids)))


words, optimizer = Words(), optim.AdamW(learning_rate=4e-3)
mx.eval(words.parameters())


def step(ids):
    def loss_fn(ids):
        return nn.losses.cross_entropy(words(ids[:, :-1]), ids[:, 1:], reduction="mean")

    loss, grads = nn.value_and_grad(words, loss_fn)(ids)
    optimizer.update(words, grads)
    return loss


text = mx.cumsum(mx.random.randint(1, 3, (64, 17)), axis=1) % IDS
for i in range(60):
    rows = mx.random.randint(0, 64, (16,))
    loss = step(text[rows])
    mx.eval(loss, words.parameters(), optimizer.state)
    if i % 20 == 0:
        print(i, loss.item())
