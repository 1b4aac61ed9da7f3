"""Train two heads by turns in a compiled step: a head that is not in use gets no gradient at that step alone."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(12)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = optim.Adam(learning_rate=0.01)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, x, y, gate):
    return mx.mean(mx.square((model(x) * gate).sum(axis=-1) - y))


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y, gate):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y, gate)
    optimizer.update(model, grads)
    return loss


losses = []
for index in range(60):
    x = mx.random.normal((32, 6))
    gate = mx.array([1.0, 0.0]) if index % 2 else mx.array([0.0, 1.0])
    loss = step(x, x[:, index % 2], gate)
    mx.eval(loss, state)
    losses.append(loss.item())
print(losses[0], losses[-1])
