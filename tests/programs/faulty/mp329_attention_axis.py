"""Self-attention by hand whose softmax runs along the queries."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Attention(nn.Module):
    def __init__(self, dims=16, heads=2):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(dims, 3 * dims), nn.Linear(dims, dims)
        self.drop = nn.Dropout(0.1)

    def __call__(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        scores = (q @ k.swapaxes(-1, -2)) * (d // self.heads) ** -0.5
        weights = self.drop(mx.softmax(scores, axis=-2))  # MP329
        return self.out((weights @ v).swapaxes(1, 2).reshape(b, t, d))


class Tagger(nn.Module):
    def __init__(self, ids=12, dims=16):
        super().__init__()
        self.embed, self.attend, self.head = nn.Embedding(ids, dims), Attention(dims), nn.Linear(dims, ids)

    def __call__(self, ids):
        x = self.embed(ids)
        return self.head(x + self.attend(x))


mx.random.seed(0)
model, optimizer = Tagger(), optim.Adam(3e-3)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for _ in range(60):
    ids = mx.random.randint(0, 12, (16, 8))
    loss, grads = gradient(model, ids, ids[:, ::-1])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
