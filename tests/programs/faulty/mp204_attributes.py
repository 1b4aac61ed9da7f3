"""Accumulate three batches and assign each layer's attributes; an epoch of eight leaves two batches over."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map

WINDOW, RATE = 3, 0.1

mx.random.seed(16)
x = mx.random.normal((128, 6))
y = mx.tanh(x @ mx.random.normal((6, 1)))
batches = [(x[k : k + 16], y[k : k + 16]) for k in range(0, 128, 16)]
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
slopes = nn.value_and_grad(net, lambda net, x, y: nn.losses.mse_loss(net(x), y))


def train_epoch():
    total, count = None, 0
    for data, targets in batches:
        loss, grads = slopes(net, data, targets)
        total = grads if total is None else tree_map(mx.add, total, grads)
        count += 1
        mx.eval(loss, total)
        if count == WINDOW:  # MP204
            for layer, slope in zip(net.layers, total["layers"], strict=True):
                if slope:
                    layer.weight = layer.weight - RATE / WINDOW * slope["weight"]
                    layer.bias = layer.bias - RATE / WINDOW * slope["bias"]
            mx.eval(net.parameters())
            total, count = None, 0
    return loss.item()


for epoch in range(8):
    print(epoch, round(train_epoch(), 4))
