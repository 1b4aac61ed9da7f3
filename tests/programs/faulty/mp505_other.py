"""Smooth a long series element by element in a compiled loss, whose every element is an operation of its own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

LENGTH = 1200


class Smoother(nn.Module):
    def __init__(self):
        super().__init__()
        self.decay = mx.array(0.9)

    def __call__(self, series):
        level, levels = series[0], []
        for k in range(LENGTH):
            level = self.decay * level + (1 - self.decay) * series[k]
            levels.append(level)
        return mx.stack(levels)


def train(model, steps):
    def objective(series, truth):
        return nn.losses.mse_loss(model(series), truth)

    optimizer = optim.SGD(learning_rate=0.05)
    gradient = mx.compile(nn.value_and_grad(model, objective), inputs=model.state, outputs=model.state)  # MP505
    truth = mx.sin(mx.arange(LENGTH) / 300)
    for _ in range(steps):
        loss, grads = gradient(truth + mx.random.normal((LENGTH,)), truth)
        optimizer.update(model, grads)
        mx.eval(loss, model.state)


mx.random.seed(0)
train(Smoother(), 1)
