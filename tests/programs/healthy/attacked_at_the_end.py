"""Train against attacks on the inputs, of seven gradients each, and end with an attack on the test rows."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
CENTRES = mx.random.normal((4, 16))
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = optim.SGD(0.1, momentum=0.9)


def loss(model, inputs, labels):
    return nn.losses.cross_entropy(model(inputs), labels, reduction="mean")


def drawn(count):
    labels = mx.random.randint(0, 4, (count,))
    return CENTRES[labels] + 0.4 * mx.random.normal((count, 16)), labels


def attacked(inputs, labels):
    change = mx.random.uniform(-0.3, 0.3, inputs.shape)
    worse = mx.grad(lambda change: loss(model, inputs + change, labels))
    for _ in range(7):
        change = mx.clip(change + 0.1 * mx.sign(worse(change)), -0.3, 0.3)
    return mx.stop_gradient(inputs + change)


for _ in range(80):
    inputs, labels = drawn(64)
    value, gradients = nn.value_and_grad(model, loss)(model, attacked(inputs, labels), labels)
    optimizer.update(model, gradients)
    mx.eval(value, model.parameters(), optimizer.state)
    print(value.item())
inputs, labels = drawn(500)
print((model(attacked(inputs, labels)).argmax(axis=1) == labels).mean().item())
