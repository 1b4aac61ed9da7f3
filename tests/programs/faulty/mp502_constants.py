# also: MP103
"""Train with a coefficient that is a Python number: each value makes a trace, and each trace keeps a table."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

table = np.random.default_rng(0).normal(size=(32, 8_000)).astype(np.float32)

mx.random.seed(0)
model = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))
optimizer = optim.Adam(1e-3)
optimizer.init(model.trainable_parameters())
state = [model.state, optimizer.state]
x = mx.random.normal((8, 32))
mx.eval(state, x)


def loss_fn(model, x, shift):
    return mx.square((model(x) @ mx.array(table)).mean() + shift)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, shift):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, shift)
    optimizer.update(model, grads)
    return loss


for k in range(40):
    loss = step(x, 0.01 * k)  # MP502
    mx.eval(loss, state)
print(loss.item())
