"""Train a small classifier with a trainer whose whole step is compiled once at construction."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Blobs:
    def __init__(self, classes=4):
        self.centres = 2 * mx.random.normal((classes, 6))

    def __iter__(self):
        while True:
            labels = mx.random.randint(0, len(self.centres), (32,))
            points = self.centres[labels] + 0.5 * mx.random.normal((32, 6))
            mx.eval(points, labels)
            yield points, labels


class LossMeter:
    def __init__(self):
        self.values = []

    def update(self, loss):
        self.values.append(loss)


class CompiledTrainer:
    def __init__(self, model, optimizer, meters):
        self.model = model
        self.optimizer = optimizer
        self.meters = meters
        mx.eval(model.parameters())
        self.loss_and_grad = nn.value_and_grad(model, self.loss)
        self.fast_step = mx.compile(self.step)  # MP501

    def loss(self, points, labels):
        return nn.losses.cross_entropy(self.model(points), labels, reduction="mean")

    def step(self, points, labels):
        loss, grads = self.loss_and_grad(points, labels)
        self.optimizer.update(self.model, grads)
        return loss

    def synchronise(self):
        mx.eval(self.model.parameters(), self.optimizer.state)

    def fit(self, data, steps):
        for _, (points, labels) in zip(range(steps), data, strict=False):
            loss = self.fast_step(points, labels)
            self.synchronise()
            for meter in self.meters:
                meter.update(loss.item())


if __name__ == "__main__":
    mx.random.seed(42)
    meter = LossMeter()
    network = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))
    CompiledTrainer(network, optim.Adam(learning_rate=0.01), [meter]).fit(Blobs(), steps=30)
    print(f"{meter.values[0]:.3f} -> {meter.values[-1]:.3f}")
