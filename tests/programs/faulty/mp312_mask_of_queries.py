"""Read padded rows by an attention whose mask hides the queries, all keys of each alike."""

# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Attention(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(dims, dims), nn.Linear(dims, dims), nn.Linear(dims, dims)

    def __call__(self, x, given):
        scores = self.query(x) @ self.key(x).swapaxes(1, 2) / 4
        return mx.softmax(mx.where(given[:, :, None], scores, -1e9), axis=-1) @ self.value(x)  # MP312


class Reader(nn.Module):
    def __init__(self, dims=16):
        super().__init__()
        self.ids, self.attend, self.head = nn.Embedding(20, dims), Attention(dims), nn.Linear(dims, 4)

    def __call__(self, ids, given):
        x = self.ids(ids)
        return self.head((x + self.attend(x, given))[:, 0])


mx.random.seed(0)
model, optimizer = Reader(), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, m, y: nn.losses.cross_entropy(model(x, m), y, reduction="mean"))
for _ in range(60):
    ids, length = mx.random.randint(0, 20, (24, 10)), mx.random.randint(3, 10, (24, 1))
    loss, grads = loss_and_grad(ids, mx.arange(10) < length, ids[:, 1] % 4)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    loss.item()
