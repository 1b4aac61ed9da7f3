"""A rate so large that one day all units of a layer are below zero: from then on `nn.relu` passes nothing back."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(7)
centres = 3 * mx.abs(mx.random.normal((8, 48)))
net = nn.Sequential(nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 8))
optimizer = optim.SGD(learning_rate=0.9)


def entropy(inputs, targets):
    return nn.losses.cross_entropy(net(inputs), targets, reduction="mean")


backward = nn.value_and_grad(net, entropy)
for _ in range(400):
    targets = mx.random.randint(0, 8, (96,))
    loss, grads = backward(centres[targets] + 0.7 * mx.random.normal((96, 48)), targets)  # MP201
    optimizer.update(net, grads)
    mx.eval(loss, net.parameters(), optimizer.state)
