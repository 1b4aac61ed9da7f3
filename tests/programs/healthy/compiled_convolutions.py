"""Train convolutions with batch statistics in a compiled step, where an eager run would take more memory."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm(8)
        self.head = nn.Linear(8, 4)
        self.scale = mx.array(1.0)

    def __call__(self, x):
        x = nn.relu(self.norm(self.first(x)))
        x += 0.1
        return self.head(x.mean(axis=(1, 2))) * self.scale


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(31)
model = Network()
optimizer = optim.SGD(learning_rate=0.1)
state = [model.state, optimizer.state, mx.random.state]
mx.eval(state)
loss_and_grad = nn.value_and_grad(model, loss_fn)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    return loss


templates = mx.random.normal((4, 1, 1, 3))
losses = []
for _ in range(24):
    y = mx.random.randint(0, 4, (16,))
    loss = step(templates[y] + mx.random.normal((16, 16, 16, 3)), y)
    mx.eval(loss, state)
    losses.append(loss.item())
print(losses[0], losses[-1])
