"""Train heads on frozen bodies in training mode: the same kind of data, a random body, and a target that follows."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 24), nn.BatchNorm(24), nn.ReLU())
        self.head = nn.Linear(24, 4)

    def __call__(self, x):
        return self.head(self.body(x))


class WithTarget(nn.Module):
    def __init__(self, online):
        super().__init__()
        self.online, self.target = online, Model()
        self.target.update(online.parameters())
        self.target.freeze()

    def __call__(self, x):
        return self.online(x)


mx.random.seed(7)
centres = mx.random.normal((4, 10))


def batch(shift=0.0):
    y = mx.random.randint(0, 4, (48,))
    return centres[y] + 0.5 * mx.random.normal((48, 10)) + shift, y


def loss_fn(model, x, y):
    loss = nn.losses.cross_entropy(model(x), y, reduction="mean")
    if isinstance(model, WithTarget):
        loss = loss + ((model(x) - mx.stop_gradient(model.target(x + 2))) ** 2).mean()
    return loss


def fit(model, steps, shift=0.0):
    optimizer, gradient = optim.Adam(learning_rate=2e-3), nn.value_and_grad(model, loss_fn)
    for k in range(steps):
        loss, grads = gradient(model, *batch(shift))
        optimizer.update(model, grads)
        if isinstance(model, WithTarget):
            near = tree_map(lambda a, b: 0.9 * a + 0.1 * b, model.target.parameters(), model.online.parameters())
            model.target.update(near)
        mx.eval(loss, model.state, optimizer.state)
        if k % 40 == 0:
            print(k, loss.item())


first = Model()
fit(first, 80)
first.body.freeze()
first.head = nn.Linear(24, 4)
fit(first, 120)  # the head is thrown away, the body kept
second = Model()
second.body.freeze()
fit(second, 120, shift=3.0)  # features at random, whose statistics have yet to be found
third = WithTarget(first)
first.unfreeze()
fit(third, 120)
