"""Sums over all monotone paths, step by step, by MLX's own `logsumexp` along the first axis."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STATES, LENGTH = 4, 12
mx.random.seed(2)
model, optimizer = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, STATES)), optim.Adam(3e-3)


def loss_of(x, order):
    chosen = mx.take_along_axis(nn.log_softmax(model(x)), mx.repeat(order[:, None], LENGTH, axis=1), axis=-1)
    never = mx.full((x.shape[0], 1), -1e5)
    at = mx.concatenate([chosen[:, 0, :1], mx.repeat(never, STATES - 1, axis=1)], axis=1)
    for k in range(1, LENGTH):
        on = mx.concatenate([never, at[:, :-1]], axis=1)
        at = mx.logsumexp(mx.stack([at, on]), axis=0) + chosen[:, k]
    return -at[:, -1].mean()


step = nn.value_and_grad(model, loss_of)
for _ in range(40):
    order = mx.stack([mx.random.permutation(STATES) for _ in range(8)])
    wanted = mx.repeat(order, LENGTH // STATES, axis=1)
    x = mx.concatenate([mx.eye(STATES)[wanted], mx.zeros((8, LENGTH, 2))], axis=-1)
    loss, grads = step(x + 0.1 * mx.random.normal(x.shape), order)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
