"""Two heads, each with a gradient function of its own, and one update with the sum of both."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.size, self.kind = nn.Linear(7, 32), nn.Linear(32, 1), nn.Linear(32, 3)


def size_loss(net, x):
    return nn.losses.mse_loss(net.size(nn.relu(net.body(x)))[:, 0], mx.sin(x[:, 0]))


def kind_loss(net, x):
    return nn.losses.cross_entropy(net.kind(nn.relu(net.body(x))), mx.argmax(x[:, :3], axis=1), reduction="mean")


mx.random.seed(81)
net, optimizer = Two(), optim.Adam(learning_rate=3e-3)
first, second = nn.value_and_grad(net, size_loss), nn.value_and_grad(net, kind_loss)
for step in range(120):
    x = mx.random.normal((32, 7))
    (a, some), (b, others) = first(net, x), second(net, x)
    optimizer.update(net, tree_map(lambda one, other: one + 0.3 * other, some, others))
    mx.eval(a, b, net.parameters(), optimizer.state)
print(a.item(), b.item())
