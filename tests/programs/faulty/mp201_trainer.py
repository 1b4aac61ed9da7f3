"""Trains an encoder and a projection head to tell which of four sources a vector comes from."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class SourceModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 4)

    def represent(self, x):
        return mx.stop_gradient(self.encoder(x))  # MP201

    def __call__(self, x):
        return self.head(self.represent(x))


class StopWhenGood:
    def __init__(self, below):
        self.below, self.stop = below, False

    def __call__(self, loss):
        self.stop = loss < self.below


class Trainer:
    def __init__(self, model, callback):
        self.model, self.callback = model, callback
        self.optimizer = optim.Adam(learning_rate=3e-2)
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, x, y):
        return nn.losses.cross_entropy(self.model(x), y, reduction="mean")

    def backward(self, x, y):
        return self.loss_and_grad(x, y)

    def apply(self, grads):
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)

    def fit(self, batches):
        for x, y in batches:
            loss, grads = self.backward(x, y)
            self.apply(grads)
            self.callback(loss.item())
            if self.callback.stop:
                break


mx.random.seed(11)
centres = 2 * mx.random.normal((4, 10))
labels = [mx.random.randint(0, 4, (32,)) for _ in range(40)]
data = [(centres[y] + mx.random.normal((32, 10)), y) for y in labels]
mx.eval(data)
Trainer(SourceModel(), StopWhenGood(below=0.005)).fit(data)
