"""Compile the whole training step, with the model's and the optimizer's state as captured inputs and outputs."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(23)
x = mx.random.normal((256, 12))
y = x @ mx.random.normal((12,)) + 0.1 * mx.random.normal((256,))
model = nn.Linear(12, 1, bias=False)
optimizer = optim.SGD(learning_rate=0.1)
optimizer.init(model.trainable_parameters())
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, x, y):
    error = model(x).squeeze(-1) - y
    return mx.inner(error, error) / 64


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


losses = []
for index in range(40):
    rows = slice(64 * (index % 4), 64 * (index % 4 + 1))
    loss = step(x[rows], y[rows])
    mx.eval(loss, state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
