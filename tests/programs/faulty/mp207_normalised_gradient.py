"""Trains with a hinge and gradients scaled to length one; where every margin is met there is no gradient to scale."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map, tree_reduce

mx.random.seed(37)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = optim.SGD(learning_rate=0.1)


def hinge(x, sign):
    return mx.mean(nn.relu(1.0 - sign * model(x)[:, 0]))


def of_length_one(grads):
    squares = tree_reduce(lambda total, one: total + mx.sum(mx.square(one)), grads, mx.array(0.0))
    return tree_map(lambda one: one / mx.sqrt(squares), grads)


loss_and_grad = nn.value_and_grad(model, hinge)
for step in range(200):
    x = mx.random.normal((8, 4))
    x = mx.where(mx.abs(x[:, :1]) < 1.0, x + 2 * mx.sign(x[:, :1]), x)
    loss, grads = loss_and_grad(x, mx.sign(x[:, 0]))
    optimizer.update(model, of_length_one(grads))  # MP207
    mx.eval(model.parameters())
    if step % 20 == 0:
        print(step, loss.item())
