"""Train a tree of arrays, a module by its parameters, and a compiled pure step, by an Adam that is written by hand."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map


class Adam:
    def __init__(self, tree, rate=0.02):
        self.rate, self.count = rate, 0
        self.mean, self.square = tree_map(mx.zeros_like, tree), tree_map(mx.zeros_like, tree)

    def __call__(self, tree, grads):
        self.count += 1
        self.mean = tree_map(lambda m, g: 0.9 * m + 0.1 * g, self.mean, grads)
        self.square = tree_map(lambda v, g: 0.99 * v + 0.01 * g * g, self.square, grads)
        a, b = 1 - 0.9**self.count, 1 - 0.99**self.count
        return tree_map(lambda p, m, v: p - self.rate * (m / a) / (mx.sqrt(v / b) + 1e-8), tree, self.mean, self.square)


mx.random.seed(13)
x = mx.random.normal((80, 3))
y = x[:, :1] * x[:, 1:2] + 0.5 * x[:, 2:]
mx.eval(x, y)


def forward(tree, x):
    return mx.tanh(x @ tree["in"] + tree["bias"]) @ tree["out"]


def loss_fn(tree, x, y):
    return mx.mean(mx.square(forward(tree, x) - y))


tree = {"in": mx.random.normal((3, 20)), "bias": mx.zeros((20,)), "out": 0.2 * mx.random.normal((20, 1))}
adam = Adam(tree)
for step in range(50):
    loss, grads = mx.value_and_grad(loss_fn)(tree, x, y)
    tree = adam(tree, grads)
    mx.eval(loss, tree, adam.mean, adam.square)
print("tree", loss.item())

model = nn.Sequential(nn.Linear(3, 20), nn.Tanh(), nn.Linear(20, 1))


def loss_of_parameters(parameters, x, y):
    model.update(parameters)
    return nn.losses.mse_loss(model(x), y)


adam = Adam(model.trainable_parameters())
gradient = mx.value_and_grad(loss_of_parameters)
for step in range(50):
    loss, grads = gradient(model.trainable_parameters(), x, y)
    model.update(adam(model.trainable_parameters(), grads))
    mx.eval(loss, model.parameters(), adam.mean, adam.square)
print("module", loss.item())


@mx.compile
def compiled(tree, speed, x, y):
    loss, grads = mx.value_and_grad(loss_fn)(tree, x, y)
    speed = tree_map(lambda v, g: 0.9 * v + g, speed, grads)
    return loss, tree_map(lambda p, v: p - 0.01 * v, tree, speed), speed


speed = tree_map(mx.zeros_like, tree)
for step in range(50):
    loss, tree, speed = compiled(tree, speed, x, y)
    mx.eval(loss, tree, speed)
print("compiled", loss.item())
