"""Fit a linear map in a compiled step, at a rate beyond what its curvature allows."""
# also: MP306

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
model = nn.Linear(8, 2, bias=False)
optimizer = optim.SGD(learning_rate=1.4)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, x, y):
    return mx.mean(mx.square(model(x) - y))


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


x = mx.random.normal((64, 8))
y = x @ mx.random.normal((8, 2))
for _ in range(48):
    loss = step(x, y)  # MP208
    mx.eval(loss, state)
