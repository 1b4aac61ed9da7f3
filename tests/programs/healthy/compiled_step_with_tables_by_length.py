"""Keep a mask, its scale and a random projection as they are first needed, in a step that is traced for each length."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(5)


def drawn(source, size):
    return mx.array(source.normal(size=(size, size)).astype(np.float32) / 4)


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Linear(4, 12), nn.Linear(12, 1)
        self.length, self.scale, self._table = 0, 1.0, None
        self._random = None

    def prepare(self, length):
        if length != self.length:
            self.length = length
            self.scale = 1.0 / length
            self._table = mx.tri(length)

    def __call__(self, x):
        self.prepare(x.shape[1])
        if self._random is None:
            self._random = drawn(rng, 12)
        mixed = self._table @ mx.tanh(self.embed(x)) * self.scale
        fixed = np.random.default_rng(1).normal(size=12).astype(np.float32)
        return self.head((mixed + mx.array(fixed)) @ self._random).mean(axis=1)[:, 0]


mx.random.seed(2)
model = Mixer()
opt = optim.Adam(learning_rate=3e-3)
state = [model.state, opt.state]
mx.eval(state)


def loss_fn(model, x, y):
    return mx.square(model(x) - y).mean()


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    opt.update(model, grads)
    return loss


for i in range(90):
    length = (8, 12, 16)[i % 3]
    x = mx.array(rng.normal(size=(16, length, 4)).astype(np.float32))
    loss = step(x, x[:, 0, 0])
    mx.eval(loss, state)
    if i % 30 == 29:
        print(i, loss.item())
