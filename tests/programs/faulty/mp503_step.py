"""Train with dropout in a compiled step that captures the model and the optimizer alone."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(11)
model = nn.Sequential(nn.Linear(8, 16, bias=False), nn.Dropout(0.4), nn.Linear(16, 1, bias=False))
optimizer = optim.SGD(learning_rate=0.05)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, x, y):
    error = model(x).squeeze(-1) - y
    return mx.inner(error, error) / len(x)


@partial(mx.compile, inputs=state, outputs=state)  # MP503
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


for index in range(30):
    x = mx.random.normal((32, 8))
    loss = step(x, x[:, 0])
    mx.eval(loss, state)
    if index % 10 == 9:
        print(loss.item())
