"""Trains a Conv1d classifier of short signals, with callbacks that act every twenty steps."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

EVERY = 20


class SignalNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(3, 12, kernel_size=5, padding=2)
        self.conv2 = nn.Conv1d(12, 12, kernel_size=3, stride=2)
        self.head = nn.Linear(12, 4)

    def __call__(self, x):
        return self.head(nn.relu(self.conv2(nn.relu(self.conv1(x)))).mean(axis=1))


class Synchronise:
    def after_step(self, trainer, step):
        if step % EVERY == 0:
            mx.eval(trainer.model.parameters(), trainer.optimizer.state)  # MP102


class Report:
    def after_step(self, trainer, step):
        if step % EVERY == 0:
            print(f"step {step}: {trainer.loss.item():.4f}")


class SignalTrainer:
    def __init__(self, callbacks):
        self.model, self.optimizer = SignalNet(), optim.Adam(learning_rate=5e-3)
        self.callbacks, self.loss = callbacks, None

    def loss_fn(self, x, y):
        return nn.losses.cross_entropy(self.model(x), y, reduction="mean")

    def fit(self, batches):
        loss_and_grad = nn.value_and_grad(self.model, self.loss_fn)
        for step, (x, y) in enumerate(batches, start=1):
            self.loss, grads = loss_and_grad(x, y)
            self.optimizer.update(self.model, grads)
            for callback in self.callbacks:
                callback.after_step(self, step)


mx.random.seed(3)
labels = mx.random.randint(0, 4, (45, 256))
time = mx.arange(64)[None, None, :, None]
signals = mx.sin(0.3 * (labels[..., None, None] + 1) * time + mx.arange(3))
mx.eval(signals, labels)
SignalTrainer([Synchronise(), Report()]).fit(zip(signals, labels, strict=True))

# also: MP101
