"""Rows of one array in batches, of which some are kept; images turned with their masks, counts, a series' next value.

The kept rows are standardised by the figures of the training rows, and the training rows are evaluated too.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

draw = np.random.default_rng(2)
mx.random.seed(2)


def trained(model, loss_fn, batches, rate=2e-3):
    optimizer, step = optim.Adam(rate), nn.value_and_grad(model, loss_fn)
    for x, y in batches:
        loss, gradients = step(model, mx.array(x), mx.array(y))
        optimizer.update(model, gradients)
        mx.eval(loss, model.parameters(), optimizer.state)
    return loss.item()


def squared(model, x, y):
    return nn.losses.mse_loss(model(x)[..., 0], y)


def tables():
    rows = draw.normal(size=(900, 6)) * 4 + 7
    counts = draw.poisson(np.exp(0.1 * rows[:, 0]))
    order = draw.permutation(900)
    mean, deviation = rows[order[:700]].mean(axis=0), rows[order[:700]].std(axis=0)
    x_train, x_val = (((rows[part] - mean) / deviation).astype(np.float32) for part in (order[:700], order[700:]))
    y_train, y_val = counts[order[:700]], counts[order[700:]]
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))

    def epochs():
        for _ in range(5):
            part = draw.permutation(700)
            yield from ((x_train[part[k : k + 28]], y_train[part[k : k + 28]]) for k in range(0, 700, 28))
            evaluated()

    def evaluated():
        for x, y in ((x_train, y_train), (x_val, y_val)):
            print(squared(model, mx.array(x), mx.array(y)).item())

    trained(model, squared, epochs())


def images():
    masks = (draw.normal(size=(200, 8, 8)).cumsum(axis=2) > 0).astype(np.float32)
    shown = (masks + 0.2 * draw.normal(size=masks.shape)).astype(np.float32)[..., None]

    def batch():
        rows, over = draw.integers(0, 200, 16), draw.random(16) < 0.5
        x, y = shown[rows].copy(), masks[rows].copy()
        x[over], y[over] = x[over][:, :, ::-1], y[over][:, :, ::-1]
        return x, y

    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))
    trained(model, squared, (batch() for _ in range(60)))


def series():
    states = draw.normal(size=(600, 5)).cumsum(axis=0).astype(np.float32) / 10
    load = (states @ draw.normal(size=5) + draw.normal(size=600)).astype(np.float32)
    model = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 1))
    starts = [draw.integers(0, 599, 16) for _ in range(60)]
    batches = [(states[rows], load[rows + 1]) for rows in starts]
    trained(model, squared, batches + [(states[k : k + 16], load[k : k + 16]) for k in range(584)])


tables()
images()
series()
