"""A decoder that has its caches of keys and values with it: they are filled in generation, and emptied to train."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SYMBOLS, WIDTH = 15, 24


class Cache:
    def __init__(self):
        self.parts = []

    def clear(self):
        self.parts = []

    def grown(self, pair):
        self.parts.append(pair)
        return [mx.concatenate(some, axis=1) for some in zip(*self.parts, strict=True)]


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(SYMBOLS, WIDTH), nn.Linear(WIDTH, SYMBOLS)
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.turn = nn.RoPE(WIDTH)
        self._caches = [Cache()]

    def __call__(self, symbols, start=0):
        x = self.table(symbols)
        if start == 0:
            self._caches[0].clear()
        key, value = self._caches[0].grown((self.turn(self.key(x), offset=start), self.value(x)))
        query = self.turn(self.query(x), offset=start)
        seen = mx.arange(key.shape[1])[None] <= start + mx.arange(x.shape[1])[:, None]
        scores = mx.where(seen, query @ key.swapaxes(1, 2) * WIDTH**-0.5, -1e9)
        return self.head(x + mx.softmax(scores, axis=-1) @ value)


def loss_fn(model, symbols):
    return nn.losses.cross_entropy(model(symbols[:, :-1]), symbols[:, 1:], reduction="mean")


def generated(model, first, length):
    symbols, line = mx.array([[first]]), [first]
    for at in range(length):
        symbols = mx.argmax(model(symbols, at)[:, -1:], axis=-1)
        line.append(symbols.item())
    return line


mx.random.seed(85)
model, optimizer = Decoder(), optim.Adam(learning_rate=5e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(60):
    symbols = (mx.random.randint(0, SYMBOLS, (16, 1)) + 4 * mx.arange(11)) % SYMBOLS
    loss, grads = loss_and_grad(model, symbols)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number % 20 == 19:
        print(round(loss.item(), 3), generated(model, 3, 8))
