"""Train a causal language model in a compiled step, shifted, with dropout and captured random state, and evaluate."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH = 24, 16


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH)
        self.attention = nn.MultiHeadAttention(WIDTH, 2)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, WIDTH))
        self.dropout = nn.Dropout(0.1)

    def __call__(self, x, mask):
        h = self.norm(x)
        x = x + self.dropout(self.attention(h, h, h, mask))
        return x + self.mlp(x)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = [Block() for _ in range(1)]

    def __call__(self, ids):
        x = self.embedding(ids)
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        for block in self.blocks:
            x = block(x, mask)
        return self.embedding.as_linear(x)


def loss_fn(model, ids):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")


mx.random.seed(7)
model = Model()
optimizer = optim.SGD(learning_rate=optim.cosine_decay(0.2, 80))
state = [model.state, optimizer.state, mx.random.state]
mx.eval(state)


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, ids)
    optimizer.update(model, grads)
    return loss


@partial(mx.compile, inputs=model.state)
def validation(ids):
    return loss_fn(model, ids)


start = mx.arange(8)[:, None]
held_out = (start + 3 * mx.arange(12)) % VOCABULARY
losses = []
for index in range(60):
    ids = (mx.random.randint(0, VOCABULARY, (8, 1)) + 3 * mx.arange(12)) % VOCABULARY
    loss = step(ids)
    mx.eval(loss, state)
    losses.append(loss.item())
    if index % 20 == 19:
        model.eval()
        print(validation(held_out).item())
        model.train()
