"""Blow up a pool of MLX's own a little, with noise, whenever a part of it is drawn, in a compiled step."""
# also: MP306

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(33)


class Pool:
    def __init__(self, count, length):
        self.held = mx.random.normal((count, length))
        self.mix = mx.random.normal((length, 1))
        self.answers = mx.tanh(self.held @ self.mix)
        mx.eval(self.held, self.answers)

    def draw(self, size):
        self.held += 0.05 * mx.random.normal(self.held.shape)
        rows = mx.random.randint(0, self.held.shape[0], (size,))
        return self.held[rows], self.answers[rows]


pool = Pool(256, 12)
model, optimizer = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1)), optim.Adam(learning_rate=2e-3)
state = [model.state, optimizer.state]
mx.eval(state)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, lambda a, b: nn.losses.mse_loss(model(a), b))(x, y)
    optimizer.update(model, grads)
    return loss


for i in range(2200):
    x, y = pool.draw(32)
    mx.eval(x, y, pool.held)
    loss = step(x, y)  # MP314
    mx.eval(loss, state)
    if i % 400 == 0:
        print(i, loss.item())
