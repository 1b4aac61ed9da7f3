"""Train a network of ratios in a compiled step; nobody reads the loss, and one denominator is zero."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
model = nn.Linear(4, 1)
optimizer = optim.SGD(learning_rate=0.01)
state = [model.state, optimizer.state]
mx.eval(state)


def ratio_loss(model, x, y):
    distance = mx.sqrt(mx.sum(mx.square(x), axis=-1))
    return mx.mean(mx.square(model(x).squeeze(-1) / distance - y))  # MP207


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, ratio_loss)(model, x, y)
    optimizer.update(model, grads)
    return loss


x = mx.random.normal((16, 4)) * (mx.arange(16) > 0)[:, None]
for _ in range(10):
    step(x, x[:, 0])
    mx.eval(state)
