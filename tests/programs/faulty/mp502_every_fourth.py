"""A compiled step that is given a Python number, which is another one at every fourth call."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
model = nn.Linear(6, 1)
opt = optim.SGD(0.05)
state = [model.state, opt.state]
w = mx.random.normal((6,))


def loss_fn(m, x, y, noise):
    return nn.losses.mse_loss(m(x)[:, 0], y) * (1 + 0 * noise)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y, noise):
    loss, g = nn.value_and_grad(model, loss_fn)(model, x, y, noise)
    opt.update(model, g)
    return loss


for k in range(120):
    x = mx.random.normal((16, 6))
    noise = 0.1 * 0.99 ** (k // 4)
    loss = step(x, x @ w, noise)  # MP502
    mx.eval(state, loss)
    if k % 30 == 0:
        print(loss.item())
