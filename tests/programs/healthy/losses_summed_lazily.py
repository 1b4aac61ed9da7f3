"""Report a mean of losses as mlx_lm does: added up as arrays, evaluated with the state, read every ten steps."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(41)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = optim.Adam(learning_rate=0.005)
inputs = mx.random.normal((256, 8))
labels = mx.argmax(inputs[:, :4], axis=1)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)
state = [model.state, optimizer.state, mx.random.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(rows):
    loss, grads = loss_and_grad(model, inputs[rows], labels[rows])
    optimizer.update(model, grads)
    return loss, rows.size


losses = steps = 0
for number in range(1, 61):
    loss, count = step(mx.random.randint(0, 256, (64,)))
    losses += loss
    steps += 1
    mx.eval(state, losses)
    if number % 10 == 0:
        print(f"step {number}: loss {(losses / steps).item():.3f}")
        losses = steps = 0
