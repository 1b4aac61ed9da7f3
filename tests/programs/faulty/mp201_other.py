"""Trains a tiny transformer to predict the next number of a counting sequence."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, LENGTH, WIDTH = 16, 10, 24


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.attention = nn.MultiHeadAttention(WIDTH, 2)
        self.up = nn.Linear(WIDTH, 2 * WIDTH)
        self.down = nn.Linear(2 * WIDTH, WIDTH)

    def __call__(self, x, mask):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, mask)
        y = self.norm1(x)  # MP201
        return x + self.down(nn.gelu(self.up(y)))


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.block = Block()
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        return self.head(self.block(self.embed(ids), mask))


def loss_fn(model, ids):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")


mx.random.seed(10)
model = Counter()
optimizer = optim.Adam(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(30):
    start, stride = mx.random.randint(0, VOCABULARY, (16, 1)), mx.random.randint(1, 3, (16, 1))
    ids = (start + stride * mx.arange(LENGTH)) % VOCABULARY
    loss, grads = loss_and_grad(model, ids)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    loss.item()
