"""Descend by assigning the attributes of each layer, as new arrays, in place, and of the last layer alone."""

import mlx.core as mx
import mlx.nn as nn

RATE = 0.05


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 12)
        self.last = nn.Linear(12, 3)

    def __call__(self, x):
        return self.last(nn.gelu(self.first(x)))


def assigned(net, grads):
    for name in ("first", "last"):
        layer = net[name]
        layer.weight = layer.weight - RATE * grads[name]["weight"]
        layer.bias = layer.bias - RATE * grads[name]["bias"]


def in_place(net, grads):
    for name in ("first", "last"):
        net[name].weight -= RATE * grads[name]["weight"]
        net[name].bias -= RATE * grads[name]["bias"]


def the_last_alone(net, grads):
    net.last.weight = net.last.weight - RATE * grads["last"]["weight"]


mx.random.seed(12)
x = mx.random.normal((120, 4))
labels = mx.argmax(x[:, :3], axis=1)
for descend in (assigned, in_place, the_last_alone):
    net = Net()
    slopes = nn.value_and_grad(net, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
    for step in range(40):
        rows = mx.random.randint(0, 120, (24,))
        loss, grads = slopes(net, x[rows], labels[rows])
        descend(net, grads)
        mx.eval(loss, net.parameters())
        if step % 10 == 0:
            print(descend.__name__, step, f"{loss.item():.3f}")
