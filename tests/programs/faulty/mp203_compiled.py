"""Sum the gradients of four micro-batches inside one compiled step, and update by the sum."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

MICRO = 4
mx.random.seed(1)
model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.SGD(learning_rate=0.01)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y, reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    total, summed = 0.0, None
    for part, target in zip(mx.split(x, MICRO), mx.split(y, MICRO), strict=True):
        loss, grads = loss_and_grad(model, part, target)
        total = total + loss / MICRO
        summed = grads if summed is None else tree_map(mx.add, summed, grads)
    optimizer.update(model, summed)  # MP203
    return total


for _ in range(16):
    x = mx.random.normal((32, 10))
    loss = step(x, x[:, :1] - x[:, 1:2])
    mx.eval(loss, state)
print(loss.item())
