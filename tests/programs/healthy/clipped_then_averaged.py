"""Clip sums of sixteen calls and take their mean; unscale and then clip; and multiply by the rate by hand."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(17)
rule = mx.random.normal((10, 1))


def batch():
    x = mx.random.normal((16, 10))
    return x, 30 * x @ rule


def train(calls, scale, clip, change, rate):
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    gradient = nn.value_and_grad(net, lambda x, y: scale * nn.losses.mse_loss(net(x), y))
    optimizer = optim.SGD(learning_rate=rate)
    for step in range(40):
        total = None
        for _ in range(calls):
            loss, grads = gradient(*batch())
            total = grads if total is None else tree_map(mx.add, total, grads)
        for act in (clip, change) if scale == 1 else (change, clip):
            total = act(total)
        optimizer.update(net, total)
        mx.eval(net.parameters(), optimizer.state, loss)
        if step % 10 == 0:
            print(step, loss.item() / scale)


def clipped(grads):
    return optim.clip_grad_norm(grads, 20.0)[0]


train(16, 1, clipped, lambda grads: tree_map(lambda one: one / 16, grads), 0.1)
train(1, 128.0, clipped, lambda grads: tree_map(lambda one: one / 128, grads), 0.1)
train(1, 1, clipped, lambda grads: tree_map(lambda one: 0.1 * one, grads), 1.0)
