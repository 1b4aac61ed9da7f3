"""A cross-entropy with a penalty on the weights: their sum stays far above chance, and the classes are learned."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

mx.random.seed(74)
model, optimizer = nn.Sequential(nn.Linear(12, 96), nn.ReLU(), nn.Linear(96, 6)), optim.Adam(3e-3)
true = mx.random.normal((12, 6))


def loss_fn(x, y):
    penalty = sum(mx.sum(one * one) for _, one in tree_flatten(model.parameters()))
    return nn.losses.cross_entropy(model(x), y, reduction="mean") + 0.1 * penalty


gradient = nn.value_and_grad(model, loss_fn)
for epoch in range(4):
    for _ in range(40):
        x = mx.random.normal((64, 12))
        loss, grads = gradient(x, mx.argmax(x @ true, axis=1))
        optimizer.update(model, grads)
        mx.eval(model.state, optimizer.state)
    x = mx.random.normal((256, 12))
    print(epoch, loss.item(), mx.mean(mx.argmax(model(x), axis=1) == mx.argmax(x @ true, axis=1)).item())
