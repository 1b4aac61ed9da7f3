"""Train a classifier with a trainer whose validation callback scores the model in a background thread."""

import threading

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Rings:
    def __init__(self, size, seed):
        key_angle, key_noise = mx.random.split(mx.random.key(seed))
        angle = mx.random.uniform(0, 6.28, (size,), key=key_angle)
        self.labels = mx.arange(size) % 2
        radius = 0.5 + self.labels + 0.1 * mx.random.normal((size,), key=key_noise)
        self.points = mx.stack([radius * mx.cos(angle), radius * mx.sin(angle)], axis=1)
        mx.eval(self.points, self.labels)


class BackgroundValidation:
    def __init__(self, rings, every):
        self.rings, self.every = rings, every
        self.accuracies = []

    def on_step_end(self, trainer, step):
        if (step + 1) % self.every == 0:
            thread = threading.Thread(target=self.score, args=(trainer.model,))
            thread.start()
            thread.join()

    def score(self, model):
        predicted = mx.argmax(model(self.rings.points), axis=1)
        self.accuracies.append(mx.mean(predicted == self.rings.labels))  # MP602

    def on_train_end(self):
        print(f"accuracy {self.accuracies[-1].item():.2f}")


class Trainer:
    def __init__(self, model, rings, callbacks):
        self.model, self.rings, self.callbacks = model, rings, callbacks
        self.optimizer = optim.Adam(learning_rate=0.05)
        self.loss_and_grad = nn.value_and_grad(model, self.loss)

    def loss(self, points, labels):
        return nn.losses.cross_entropy(self.model(points), labels, reduction="mean")

    def train_step(self):
        loss, grads = self.loss_and_grad(self.rings.points, self.rings.labels)
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, steps):
        self.losses = []
        for step in range(steps):
            self.losses.append(self.train_step())
            for callback in self.callbacks:
                callback.on_step_end(self, step)
        for callback in self.callbacks:
            callback.on_train_end()


if __name__ == "__main__":
    mx.random.seed(72)
    network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    Trainer(network, Rings(96, seed=1), [BackgroundValidation(Rings(32, seed=2), every=10)]).fit(30)
