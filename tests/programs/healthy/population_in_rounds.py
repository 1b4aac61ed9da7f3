"""Train a population of models in rounds, each with an optimizer a round; the worst model takes the best's weights."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(99)
target = mx.random.normal((8,))
rates = [1e-4, 1e-3, 1e-2, 3e-2]
models = [nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 1)) for _ in rates]


def batch(size):
    x = mx.random.normal((size, 8))
    return x, mx.abs(x @ target)[:, None]


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


for turn in range(6):
    scores = []
    for model, rate in zip(models, rates, strict=True):
        optimizer = optim.Adam(learning_rate=rate)
        loss_and_grad = nn.value_and_grad(model, loss_fn)
        for _ in range(25):
            loss, grads = loss_and_grad(model, *batch(64))
            optimizer.update(model, grads)
            mx.eval(loss, model.parameters(), optimizer.state)
        scores.append(loss_fn(model, *batch(256)).item())
    best, worst = scores.index(min(scores)), scores.index(max(scores))
    models[worst].update(models[best].parameters())
    rates[worst] = 0.5 * rates[best]
    print(turn, [f"{one:.3f}" for one in scores])
