"""Trains in float16 with a loss scale that is halved where gradients overflow, and doubled after a while."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map

PATIENCE = 8


class Scaler:
    def __init__(self, scale=2.0**15):
        self.scale, self.good = scale, 0

    def accepts(self, grads):
        finite = all(mx.all(mx.isfinite(one)).item() for _, one in tree_flatten(grads))
        self.good = self.good + 1 if finite else 0
        if not finite:
            self.scale /= 2
        elif self.good == PATIENCE:
            self.scale, self.good = self.scale * 2, 0
        return finite


mx.random.seed(51)
x = mx.random.normal((64, 8)).astype(mx.float16)
y = x.sum(axis=1, keepdims=True) * 3
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
masters = model.parameters()
optimizer, scaler = optim.SGD(learning_rate=0.02), Scaler()


def scaled(x, y, scale):
    return nn.losses.mse_loss(model(x), y) * scale.astype(mx.float16)


loss_and_grad = nn.value_and_grad(model, scaled)
losses = []
for step in range(60):
    model.update(tree_map(lambda one: one.astype(mx.float16), masters))
    scale = scaler.scale
    loss, grads = loss_and_grad(x, y, mx.array(scale))
    if scaler.accepts(grads):
        masters = optimizer.apply_gradients(tree_map(lambda one: one.astype(mx.float32) / scale, grads), masters)
        mx.eval(masters, optimizer.state)
    losses.append(loss.item() / scale)
