"""Change a rate and a coefficient together with a new compiled function, or with an argument that makes a new trace."""

import mlx.core as mx
import numpy as np


class Settings:
    rate = 0.1

    def __init__(self):
        self.weight, self.power = 0.01, 2
        self.noise = np.zeros(4, np.float32)


settings = Settings()


def loss_fn(w, x, y):
    bias = mx.array(settings.noise).sum()
    return mx.square(x @ w + bias - y).mean() + settings.weight * mx.abs(w).sum()


def made():
    @mx.compile
    def step(w, x, y):
        loss, g = mx.value_and_grad(loss_fn)(w, x, y)
        return loss, w - settings.rate * g

    return step


@mx.compile
def score(w, x, y, power):
    return (mx.abs(x @ w - y) ** settings.power).mean() + 0 * power


mx.random.seed(2)
w, true = mx.zeros((8, 1)), mx.random.normal((8, 1))
for _ in range(4):
    step = made()
    for i in range(40):
        x = mx.random.normal((16, 8))
        loss, w = step(w, x, x @ true)
        mx.eval(loss, w)
        settings.power = 1 + i % 2
        value = score(w, x, x @ true, settings.power)
        mx.eval(value)
    print(loss.item(), value.item())
    Settings.rate *= 0.5
    settings.weight *= 0.3
    settings.noise = settings.noise + 0.001
