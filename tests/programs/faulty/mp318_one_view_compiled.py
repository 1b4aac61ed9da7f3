"""A Siamese network in a compiled step, whose second input is the first one again."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(12)
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 6))
optimizer = optim.SGD(learning_rate=0.05)
state = [net.state, optimizer.state]


def loss_fn(anchor, positive, negative):
    a, p, n = net(anchor), net(positive), net(negative)
    near, far = ((a - p) ** 2).sum(axis=-1), ((a - n) ** 2).sum(axis=-1)
    return mx.maximum(near - far + 1, 0).mean()


@partial(mx.compile, inputs=state, outputs=state)
def step(anchor, positive, negative):
    loss, grads = nn.value_and_grad(net, loss_fn)(anchor, positive, negative)
    optimizer.update(net, grads)
    return loss


centres = 2 * mx.random.normal((5, 12), key=mx.random.key(1))
for k in range(100):
    y = mx.random.randint(0, 5, (32,))
    key = mx.random.key(k)
    anchor, positive = (centres[y] + mx.random.normal((32, 12), key=key) for _ in range(2))  # MP318
    negative = centres[(y + 1) % 5] + mx.random.normal((32, 12))
    loss = step(anchor, positive, negative)
    mx.eval(loss, state)
    if k % 25 == 0:
        print(k, loss.item())
