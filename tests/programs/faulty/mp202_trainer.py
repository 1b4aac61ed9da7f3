"""Fine-tunes the upper half of a convolutional regressor whose lower half is frozen."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(2, 8, kernel_size=3)
        self.body = nn.Conv1d(8, 8, kernel_size=3)
        self.out = nn.Linear(8, 1)

    def __call__(self, x):
        return self.out(nn.silu(self.body(nn.silu(self.stem(x)))).mean(axis=1))


class FreezeLower:
    def on_train_start(self, trainer):
        trainer.model.stem.freeze()


class FineTuner:
    def __init__(self, model, optimizer, callbacks):
        self.model, self.optimizer, self.callbacks = model, optimizer, callbacks
        self.loss_and_grad = mx.value_and_grad(self.loss)

    def loss(self, weights, x, y):
        self.model.update(weights)
        return nn.losses.mse_loss(self.model(x), y)

    def step(self, x, y):
        loss, grads = self.loss_and_grad(self.model.parameters(), x, y)
        self.optimizer.update(self.model, grads)  # MP202
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, batches):
        for callback in self.callbacks:
            callback.on_train_start(self)
        return [self.step(x, y) for x, y in batches]


mx.random.seed(13)
signals = mx.random.normal((40, 24, 12, 2))
targets = signals[..., 0].mean(axis=2)[..., None] * 3 + 1
mx.eval(signals, targets)
tuner = FineTuner(Regressor(), optim.Adam(learning_rate=1e-2), [FreezeLower()])
losses = tuner.fit(zip(signals, targets, strict=True))
print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")
