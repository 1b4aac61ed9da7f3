"""Batches come of a generator, so that not all lie in memory; an epoch is a method of its own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def stream(batches):
    for _ in range(batches):
        x = mx.random.normal((32, 5))
        yield x, x[:, 0] - x[:, 1] * x[:, 2]


class Fit:
    def __init__(self, model, data, epochs):
        self.model, self.data, self.epochs = model, data, epochs
        self.optimizer = optim.Adam(learning_rate=5e-3)
        self.gradient = nn.value_and_grad(model, self.loss)
        self.last = 0.0

    @staticmethod
    def loss(model, x, y):
        return nn.losses.mse_loss(model(x)[:, 0], y)

    def epoch(self):
        for x, y in self.data:  # MP313
            loss, grads = self.gradient(self.model, x, y)
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state, loss)
            self.last = loss.item()

    def run(self):
        for epoch in range(self.epochs):
            self.epoch()
            print(epoch, self.last)


mx.random.seed(4)
Fit(nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1)), stream(80), epochs=10).run()
