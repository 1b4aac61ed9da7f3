"""Debug a compiled training step with compilation switched off: its Python runs at every call, and traces nothing."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(63)
mx.disable_compile()

teacher = mx.random.normal((9, 1))
model = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = optim.SGD(learning_rate=0.05, momentum=0.9)
state = [model.state, optimizer.state]


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


@mx.compile
def accuracy(x, y):
    return mx.mean(mx.abs(model(x) - y) < 0.5)


for number in range(40):
    x = mx.random.normal((20 + number, 9))  # rows as they come
    loss = step(x, x @ teacher)
    share = accuracy(x, x @ teacher)
    mx.eval(state, loss, share)
    if number % 10 == 0:
        print(f"{number:2d} loss {loss.item():.3f}, within a half: {share.item():.0%}")
