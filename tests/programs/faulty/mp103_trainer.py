"""Trains a wide regression network with a callback that remembers the best weights."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Callback:
    def after_step(self, trainer, step, loss):
        pass


class BestWeights(Callback):
    def __init__(self):
        self.candidates = []

    def after_step(self, trainer, step, loss):
        self.candidates.append((loss, trainer.model.parameters()))  # MP103

    def best(self):
        return min(self.candidates, key=lambda candidate: candidate[0])


class Losses(Callback):
    def __init__(self):
        self.values = []

    def after_step(self, trainer, step, loss):
        self.values.append(loss)


class Trainer:
    def __init__(self, model, optimizer, callbacks):
        self.model, self.optimizer, self.callbacks = model, optimizer, callbacks
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, x, y):
        return nn.losses.huber_loss(self.model(x), y, reduction="mean")

    def step(self, x, y):
        loss, grads = self.loss_and_grad(x, y)
        self.optimizer.update(self.model, grads)
        mx.eval(loss, self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, batches):
        for number, (x, y) in enumerate(batches):
            loss = self.step(x, y)
            for callback in self.callbacks:
                callback.after_step(self, number, loss)


mx.random.seed(5)
best = BestWeights()
network = nn.Sequential(nn.Linear(20, 528), nn.GELU(), nn.Linear(528, 528), nn.GELU(), nn.Linear(528, 1))
inputs = [mx.random.normal((16, 20)) for _ in range(45)]
data = [(x, x[:, :1] - 2 * mx.tanh(x[:, 1:2])) for x in inputs]
mx.eval(data)
Trainer(network, optim.SGD(learning_rate=0.05, momentum=0.8), [best, Losses()]).fit(data)
network.update(best.best()[1])
