"""Average a model's weights in a compiled function of its own, and evaluate both at the end of each step."""
# no note: MP106

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
mx.eval(model.parameters())
optimizer = optim.Adam(1e-3)
state = [model.state, optimizer.state, mx.random.state]
average = tree_map(mx.array, model.parameters())
slopes = mx.random.normal((8, 1))


def loss(model, inputs, targets):
    noisy = inputs + 0.01 * mx.random.normal(inputs.shape)
    return ((model(noisy) - targets) ** 2).mean()


@partial(mx.compile, inputs=state, outputs=state)
def step(inputs, targets):
    value, gradients = nn.value_and_grad(model, loss)(model, inputs, targets)
    optimizer.update(model, gradients)
    return value


@mx.compile
def averaged(average, weights):
    return tree_map(lambda old, new: 0.99 * old + 0.01 * new, average, weights)


for number in range(120):
    inputs = mx.random.normal((64, 8))
    value = step(inputs, inputs @ slopes)
    average = averaged(average, model.parameters())
    mx.eval(value, state, average)
    if number % 4 == 0:
        print(number, value.item())
