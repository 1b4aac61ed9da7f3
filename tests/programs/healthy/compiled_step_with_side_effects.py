"""Count traces, remember shapes and read from an iterator inside a compiled step: what a second call would show."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
model = nn.Linear(6, 3)
optimizer = optim.SGD(learning_rate=0.2)
state = [model.state, optimizer.state]
mx.eval(state)
shapes, names, traces = [], iter("abcdefgh"), {"step": 0}


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    traces["step"] += 1
    shapes.append((next(names), x.shape))
    print("tracing", traces)
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


losses = []
for _ in range(30):
    x = mx.random.normal((16, 6))
    loss = step(x, mx.argmax(x[:, :3], axis=-1))
    mx.eval(loss, state)
    losses.append(loss.item())
assert traces["step"] == len(shapes) <= 2, shapes
print(losses[-1])
