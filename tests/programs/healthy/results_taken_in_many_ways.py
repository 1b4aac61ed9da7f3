"""Results of functions that change nothing are taken: stored, returned, put into lists, read after their loop."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 1)
        draw = nn.init.he_normal()
        for layer in (self.first, self.last):
            layer.weight = draw(layer.weight)

    def __call__(self, x):
        h = nn.relu(self.first(x))
        for scale in (0.5, 2.0):
            h = mx.multiply(h, scale)
        counts = mx.zeros((4,))
        for k in range(4):
            counts = counts.at[k].add(1.0)
        return self.last(mx.clip(h, 0.0, 6.0)) + 0.0 * counts.sum()


def bounded(model, limit):
    kept = []
    for path, p in tree_flatten(model.parameters()):
        p = mx.clip(p, -limit, limit)
        kept.append((path, p))
    for _, last in kept:
        last = mx.abs(last)
    return tree_unflatten(kept), last.max()


mx.random.seed(0)
model, optimizer = Net(), optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(model, lambda m, x, y: mx.mean(mx.square(m(x)[:, 0] - y)))
for i in range(80):
    x = mx.random.normal((32, 6))
    loss, grads = gradient(model, x, x[:, 0] + x[:, 1])
    _, norm = optim.clip_grad_norm(grads, float("inf"))
    optimizer.update(model, optim.clip_grad_norm(grads, 5.0)[0])
    weights, largest = bounded(model, 3.0)
    model.update(weights)
    mx.eval(loss, norm, largest, model.parameters(), optimizer.state)
    loss.item()
