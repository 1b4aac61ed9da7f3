"""Freeze the body of a network, and train all of its parameters as a tree that an optimizer is given."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(72)
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
rule = mx.random.normal((6, 3))


def loss_of(parameters, x):
    net.update(parameters)
    return nn.losses.cross_entropy(net(x), mx.argmax(x @ rule, axis=1), reduction="mean")


def first_training():
    optimizer, gradient = optim.Adam(learning_rate=5e-3), nn.value_and_grad(net, lambda x: loss_of({}, x))
    for _ in range(40):
        loss, grads = gradient(mx.random.normal((32, 6)))
        optimizer.update(net, grads)
        mx.eval(loss, net.parameters(), optimizer.state)


def second_training():
    net.layers[0].freeze()
    optimizer, gradient = optim.SGD(learning_rate=0.1), mx.value_and_grad(loss_of)
    parameters = net.parameters()
    for _ in range(60):
        loss, grads = gradient(parameters, mx.random.normal((32, 6)) + 1)
        parameters = optimizer.apply_gradients(grads, parameters)  # MP202
        mx.eval(loss, parameters, optimizer.state)
    net.update(parameters)
    print(loss.item())


first_training()
second_training()
