"""Weigh a penalty by a number of the surrounding function, which a compiled loss closes over."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def train(model, opt, steps):
    weight = 0.0
    state = [model.state, opt.state]

    def penalty(h):
        return weight * mx.abs(h).mean()  # MP504

    def loss_fn(x):
        h = nn.relu(model.layers[0](x))
        return mx.square(model.layers[1](h) - x).mean() + penalty(h)

    def inner(x):
        loss, grads = nn.value_and_grad(model, loss_fn)(x)
        opt.update(model, grads)
        return loss

    compiled = mx.compile(inner, inputs=state, outputs=state)
    for i in range(steps):
        loss = compiled(mx.random.normal((32, 10)) @ basis)
        mx.eval(loss, state)
        if i % 20 == 19:
            weight += 0.05
            print(i, weight, loss.item())


mx.random.seed(2)
basis = mx.random.normal((10, 10)) * (mx.arange(10) < 4)[:, None]
train(nn.Sequential(nn.Linear(10, 24), nn.Linear(24, 10)), optim.Adam(learning_rate=5e-3), 100)
