"""Drop blocks at random by Python's own numbers, in a compiled step: the same blocks for ever."""

import random
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Linear(12, 12) for _ in range(5)]
        self.head = nn.Linear(12, 3)

    def __call__(self, x):
        for block in self.blocks:
            scale = (random.random() < 0.7) / 0.7  # MP503
            x = x + scale * nn.relu(block(x))
        return self.head(x)


random.seed(3)
mx.random.seed(3)
model = Deep()
opt = optim.Adam(learning_rate=2e-3)
state = [model.state, opt.state, mx.random.state]
mx.eval(state)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
    opt.update(model, grads)
    return loss


for i in range(60):
    x = mx.random.normal((32, 12))
    loss = step(x, mx.argmax(x[:, :3] + x[:, 3:6], axis=-1))
    mx.eval(loss, state)
    if i % 15 == 14:
        print(i, loss.item())
