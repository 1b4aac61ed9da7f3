"""Train a GRU that classifies short waveforms, with a trainer class, a metrics callback and Adam."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class WaveClassifier(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.rnn = nn.GRU(1, 16)
        self.head = nn.Linear(16, classes)

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


class History:
    def __init__(self):
        self.losses = []

    def on_step_end(self, step, loss):
        self.losses.append(loss)


class Trainer:
    def __init__(self, model, optimizer, callbacks):
        self.model = model
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.loss_and_grad = nn.value_and_grad(model, self.compute_loss)

    def compute_loss(self, model, waves, labels):
        logits = model(waves)
        predicted = mx.stop_gradient(mx.argmax(logits, axis=-1))
        return self.criterion(logits, predicted)  # MP301

    def criterion(self, logits, classes):
        return nn.losses.cross_entropy(logits, classes, reduction="mean")

    def train_step(self, waves, labels):
        loss, grads = self.loss_and_grad(self.model, waves, labels)
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, batches):
        for step, (waves, labels) in enumerate(batches):
            loss = self.train_step(waves, labels)
            for callback in self.callbacks:
                callback.on_step_end(step, loss)


def wave_batches(steps, size=16, length=12):
    rng = np.random.default_rng(3)
    time = np.arange(length)
    for _ in range(steps):
        labels = rng.integers(0, 3, size)
        phase = rng.uniform(0, 6.28, (size, 1))
        waves = np.sin(0.4 * (labels[:, None] + 1) * time + phase)
        yield mx.array(waves[..., None].astype(np.float32)), mx.array(labels)


if __name__ == "__main__":
    mx.random.seed(3)
    history = History()
    trainer = Trainer(WaveClassifier(classes=3), optim.Adam(learning_rate=1e-2), [history])
    trainer.fit(wave_batches(30))
    print(f"loss {history.losses[0]:.3f} -> {history.losses[-1]:.3f}")
