"""Tables behind underscores: positions, a mask, rotary frequencies, a running mean that the loop itself moves."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH, LENGTH = 17, 32, 12


def table(length, width):
    place = mx.arange(length)[:, None].astype(mx.float32)
    rate = mx.exp(mx.arange(0, width, 2) * (-math.log(10000.0) / width))
    return mx.concatenate([mx.sin(place * rate), mx.cos(place * rate)], axis=1)


class Normaliser:
    def __init__(self, width):
        self.mean = mx.random.normal((width,)) * 0.01


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self._positions = table(LENGTH, WIDTH)
        self._mask = mx.triu(mx.full((LENGTH, LENGTH), -1e9), k=1)
        self._scale = mx.array([1.0 / WIDTH**0.5])
        self._normaliser = Normaliser(WIDTH)
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        length = ids.shape[1]
        x = self.embed(ids) + self._positions[:length] - self._normaliser.mean
        scores = (self.q(x) @ self.k(x).swapaxes(1, 2)) * self._scale + self._mask[:length, :length]
        return self.head(x + mx.softmax(scores, axis=-1) @ self.v(x))


def loss_fn(model, ids):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")


mx.random.seed(5)
model, optimizer = Model(), optim.AdamW(learning_rate=3e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(80):
    start = mx.random.randint(0, VOCABULARY, (8, 1))
    loss, grads = loss_and_grad(model, (start + 2 * mx.arange(LENGTH)) % VOCABULARY)
    optimizer.update(model, grads)
    model._normaliser.mean = 0.9 * model._normaliser.mean + 0.1 * model.embed.weight.mean(axis=0)
    mx.eval(model.parameters(), optimizer.state, model._normaliser.mean, loss)
    if step % 20 == 0:
        print(step, round(loss.item(), 3))
