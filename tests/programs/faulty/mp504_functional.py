"""Take gradients of a tree of parameters in a compiled function that fetches the tree itself."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
opt = optim.Adam(learning_rate=1e-2)


def objective(params, x, y):
    net.update(params)
    return mx.square(net(x)[:, 0] - y).mean()


@mx.compile  # MP504
def grads_of(x, y):
    return mx.value_and_grad(objective)(net.trainable_parameters(), x, y)


for i in range(40):
    x = mx.random.normal((32, 6))
    value, g = grads_of(x, x[:, 1] * 2 - x[:, 2])
    opt.update(net, g)
    mx.eval(net, opt.state, value)
    if i % 10 == 9:
        print(i, value.item())
