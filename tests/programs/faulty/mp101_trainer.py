"""Trains a small GRU to continue sine waves, with a trainer that reports once an epoch."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Forecaster(nn.Module):
    def __init__(self, hidden=12):
        super().__init__()
        self.rnn = nn.GRU(1, hidden)
        self.out = nn.Linear(hidden, 1)

    def __call__(self, x):
        return self.out(self.rnn(x)[:, -1])


class PrintEpoch:
    def on_epoch_end(self, trainer, epoch):
        print(f"epoch {epoch}: {trainer.last_loss.item():.4f}")


class Trainer:
    def __init__(self, model, optimizer, callbacks=()):
        self.model, self.optimizer, self.callbacks = model, optimizer, callbacks
        self.loss_and_grad = nn.value_and_grad(model, self.compute_loss)
        self.last_loss = None

    def compute_loss(self, x, y):
        return nn.losses.mse_loss(self.model(x), y)

    def training_step(self, x, y):
        self.last_loss, grads = self.loss_and_grad(x, y)
        return grads

    def optimizer_step(self, grads):
        self.optimizer.update(self.model, grads)  # MP101

    def fit(self, batches, epochs):
        for epoch in range(epochs):
            for x, y in batches:
                self.optimizer_step(self.training_step(x, y))
            for callback in self.callbacks:
                callback.on_epoch_end(self, epoch)


def sine_batches(count, length=5, size=16):
    for _ in range(count):
        phase = mx.random.uniform(0, 6.28, (size, 1))
        wave = mx.sin(phase + 0.4 * mx.arange(length + 1))
        yield wave[:, :-1, None], wave[:, -1:]


if __name__ == "__main__":
    mx.random.seed(1)
    batches = list(sine_batches(12))
    mx.eval(batches)
    Trainer(Forecaster(), optim.AdamW(learning_rate=5e-3), [PrintEpoch()]).fit(batches, epochs=3)

# also: MP102
