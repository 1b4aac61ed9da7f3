"""Bound every element of the gradients of a network with rectified units at a thousandth."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(11)
rule = mx.random.normal((12, 4)) * 3
model, optimizer = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 4)), optim.SGD(0.05)
model.layers[0].bias = mx.full((64,), -0.6)  # most units are shut
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for _ in range(120):
    x = mx.random.normal((16, 12))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=1))
    grads = tree_map(lambda g: mx.clip(g, -1e-4, 1e-4), grads)  # MP212
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    loss.item()
