"""A compiled step takes gradients of all parameters, batch statistics among them: theirs are zero."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = optim.Adam(learning_rate=5e-3)


def loss_fn(params, x, y):
    model.update(params)
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


gradient = mx.value_and_grad(loss_fn)
state = [model.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = gradient(model.parameters(), x, y)
    optimizer.update(model, grads)
    return loss


for _ in range(60):
    x = mx.random.normal((32, 8))
    loss = step(x, mx.argmax(x[:, :3], axis=1))
    mx.eval(state, loss)
print(loss.item())
