"""A kernel method: random features that one key draws at each step, the same ones, and noise by keys of its own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

ROWS, INPUTS, FEATURES = 32, 6, 64


def features(x, key):
    return mx.cos(x @ mx.random.normal((INPUTS, FEATURES), key=key))


def loss_fn(model, x, y, fixed, key):
    blurred = x + 0.05 * mx.random.normal(x.shape, key=key)
    return nn.losses.mse_loss(model(features(blurred, fixed)).squeeze(-1), y)


mx.random.seed(8)
fixed, key = mx.random.split(mx.random.key(8))
model, optimizer = nn.Linear(FEATURES, 1), optim.Adam(learning_rate=5e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(80):
    key, now = mx.random.split(key)
    x = mx.random.normal((ROWS, INPUTS))
    loss, grads = loss_and_grad(model, x, mx.tanh(x[:, 0] - x[:, 1]), fixed, now)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state, key)
    if number % 20 == 19:
        print(number + 1, round(loss.item(), 3))
