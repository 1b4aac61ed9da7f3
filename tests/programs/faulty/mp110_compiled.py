"""A compiled step whose loss subtracts targets of one axis from predictions of two."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

# also: MP306
mx.random.seed(3)
model = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = optim.Adam(learning_rate=1e-2)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, x, y):
    return mx.mean((model(x) - y) ** 2)  # MP110


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


for _ in range(80):
    x = mx.random.normal((48, 8))
    loss = step(x, x[:, 0] + 0.5 * x[:, 1])
    mx.eval(loss, state)
print(loss.item())
