"""Train with dropout in a compiled step that captures the random state, and sets the seed itself."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 3))
opt = optim.AdamW(learning_rate=2e-3)
state = [net.state, opt.state, mx.random.state]
rule = mx.random.normal((10, 3))


def loss_fn(net, x, y):
    return nn.losses.cross_entropy(net(x), y, reduction="mean")


@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    mx.random.seed(0)  # MP503
    loss, grads = nn.value_and_grad(net, loss_fn)(net, x, y)
    opt.update(net, grads)
    return loss


for k in range(30):
    x = mx.random.normal((64, 10), key=mx.random.key(k))
    loss = step(x, mx.argmax(x @ rule, axis=-1))
    mx.eval(loss, state)
print(loss.item())
