"""Train by a compiled pure function: parameters and momentum go in and come out, and the noise has its own key."""

import mlx.core as mx
from mlx.utils import tree_map


def loss_fn(params, x, y, key):
    hidden = mx.tanh(x @ params["w1"] + params["b1"]) + 0.01 * mx.random.normal((len(x), 16), key=key)
    return mx.mean(mx.square((hidden @ params["w2"]).squeeze(-1) - y))


@mx.compile
def step(params, velocity, x, y, key):
    loss, grads = mx.value_and_grad(loss_fn)(params, x, y, key)
    velocity = tree_map(lambda v, g: 0.9 * v + g, velocity, grads)
    params = tree_map(lambda p, v: p - 0.02 * v, params, velocity)
    return loss, params, velocity


mx.random.seed(0)
key = mx.random.key(0)
params = {"w1": 0.5 * mx.random.normal((6, 16), key=key), "b1": mx.zeros((16,)), "w2": mx.full((16, 1), 0.1)}
velocity = tree_map(mx.zeros_like, params)
losses = []
for index in range(40):
    key, data, noise = mx.random.split(key, 3)
    x = mx.random.normal((32, 6), key=data)
    loss, params, velocity = step(params, velocity, x, x[:, 0] * 0.5, noise)
    mx.eval(loss, params, velocity)
    losses.append(loss.item())
print(losses[0], losses[-1])
