"""Convolutions whose filters are all the same at the start, in a compiled step."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 12, 5)
        self.conv.weight = mx.ones(self.conv.weight.shape) / 10
        self.out = nn.Linear(12, 3)
        self.out.weight = mx.zeros(self.out.weight.shape)

    def __call__(self, x):
        return self.out(nn.relu(self.conv(x)).mean(axis=1))


mx.random.seed(8)
model, optimizer = Detector(), optim.AdamW(learning_rate=5e-3)
state = [model.state, optimizer.state]


def loss_fn(x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, loss_fn)(x, y)
    optimizer.update(model, grads)
    return loss


for k in range(4200):
    y = mx.random.randint(0, 3, (32,))
    x = mx.random.normal((32, 20, 2)) + mx.sin(mx.arange(20)[None, :, None] * (1 + y[:, None, None]))
    loss = step(x, y)  # MP217
    mx.eval(state, loss)
print(loss.item())
