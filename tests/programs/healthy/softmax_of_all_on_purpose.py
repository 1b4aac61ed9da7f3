"""Softmaxes over everything that mean it: of one bag's instances, of all pairs, of one picture, of a row alone."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def bag(model, x, y):
    weights = mx.softmax(model(x))  # of (instances, 1)
    return mx.square(mx.sum(weights * x[:, :1]) - y[0])


def pairs(model, x, y):
    near = x @ model.weight.T @ model.weight @ x.T
    return -mx.sum(mx.log(mx.softmax(near) + 1e-6) * (y[:, None] == y[None]))


def picture(model, x, y):
    place = mx.softmax(model(x.reshape(1, 8, 4, 8))[..., 0])  # of one picture's pixels
    return mx.square(mx.sum(place) - 1) + mx.mean(mx.square(model(x)[:, 0] - y))


def alone(model, x, y):
    return mx.mean(mx.vmap(lambda row: mx.square(mx.softmax(row)[0] - 0.5))(model(x) * x))


mx.random.seed(4)
for loss_fn in (bag, pairs, picture, alone):
    model = nn.Linear(8, 1)
    optimizer = optim.Adam(learning_rate=1e-2)
    gradient = nn.value_and_grad(model, loss_fn)
    for _ in range(30):
        x = mx.random.normal((32, 8))
        loss, grads = gradient(model, x, (x[:, 0] > 0).astype(mx.float32))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(loss_fn.__name__, loss.item())
