"""An epoch is a method of its own, and iterates a stream that another method begins anew; and one that has no end."""

import itertools

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def stream(batches):
    for _ in itertools.count() if batches is None else range(batches):
        x = mx.random.normal((32, 5))
        yield x, x[:, 0] - x[:, 1] * x[:, 2]


class Fit:
    def __init__(self, batches):
        self.model = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
        self.batches, self.last = batches, 0.0
        self.data, self.endless = stream(batches), stream(None)
        self.optimizer = optim.Adam(learning_rate=5e-3)
        self.gradient = nn.value_and_grad(self.model, self.loss)

    def loss(self, x, y):
        return nn.losses.mse_loss(self.model(x)[:, 0], y)

    def step(self, x, y):
        loss, grads = self.gradient(x, y)
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state, loss)
        self.last = loss.item()

    def begin(self):
        self.data = stream(self.batches)

    def epoch(self):
        for x, y in self.data:
            self.step(x, y)

    def run(self, epochs):
        for epoch in range(epochs):
            self.epoch()
            self.begin()
            for _ in range(5):
                self.step(*next(self.endless))
            print(epoch, self.last)


mx.random.seed(4)
Fit(20).run(epochs=4)
