"""Split the heads off by a reshape alone: each takes some places with all features, and not all with some."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(27)
HEADS, LENGTH, WIDTH = 4, 10, 32


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def __call__(self, x):
        batch, length, width = x.shape
        q, k, v = (
            one.reshape(batch, HEADS, length, width // HEADS)  # MP328
            for one in mx.split(self.qkv(x), 3, axis=-1)
        )
        mixed = mx.fast.scaled_dot_product_attention(q, k, v, scale=(width // HEADS) ** -0.5)
        return self.out(mixed.transpose(0, 2, 1, 3).reshape(batch, length, width))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.attend, self.head = nn.Embedding(12, WIDTH), Attention(), nn.Linear(WIDTH, 12)

    def __call__(self, ids):
        x = self.embed(ids)
        return self.head(x + self.attend(x))


model, optimizer = Model(), optim.Adam(learning_rate=2e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for i in range(60):
    ids = mx.random.randint(0, 12, (16, LENGTH))
    loss, grads = step(ids, mx.broadcast_to(ids.max(axis=1, keepdims=True), ids.shape))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if i % 20 == 0:
        print(i, loss.item())
