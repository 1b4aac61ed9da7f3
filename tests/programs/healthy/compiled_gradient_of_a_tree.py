"""Take gradients in a compiled function that is given the tree of parameters."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
opt = optim.Adam(learning_rate=1e-2)


def objective(params, x, y):
    net.update(params)
    return mx.square(net(x)[:, 0] - y).mean()


@mx.compile
def grads_of(params, x, y):
    return mx.value_and_grad(objective)(params, x, y)


params = net.trainable_parameters()
for i in range(40):
    x = mx.random.normal((32, 6))
    value, g = grads_of(params, x, x[:, 1] * 2 - x[:, 2])
    net.update(params)
    opt.update(net, g)
    params = net.trainable_parameters()
    mx.eval(net, opt.state, value)
    if i % 10 == 9:
        print(i, value.item())
