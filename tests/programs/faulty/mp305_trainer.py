"""Train a convolutional autoencoder of multichannel signals with a trainer that normalises, steps and logs."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class SignalSource:
    def __init__(self, channels=4, length=64, seed=6):
        self.channels, self.length = channels, length
        self.rng = np.random.default_rng(seed)

    def draw(self, size):
        steps = self.rng.normal(0, 0.2, (size, self.channels, self.length))
        return np.cumsum(steps, axis=-1).astype(np.float32)


class Autoencoder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.encode = nn.Conv1d(channels, 8, kernel_size=3, padding=1)
        self.decode = nn.Conv1d(8, channels, kernel_size=3, padding=1)

    def __call__(self, signal):
        code = nn.silu(self.encode(signal))  # MP305
        return self.decode(code)


class EpochLog:
    def __init__(self):
        self.rows = []

    def record(self, step, loss):
        self.rows.append((step, loss))


class AutoencoderTrainer:
    def __init__(self, source, log):
        self.source, self.log = source, log
        self.model = Autoencoder(source.channels)
        self.optimizer = optim.SGD(learning_rate=0.05, momentum=0.9)
        self.loss_and_grad = nn.value_and_grad(self.model, self.reconstruction)

    def normalise(self, signal):
        centred = signal - signal.mean(axis=-1, keepdims=True)
        return mx.array(centred / (centred.std(axis=-1, keepdims=True) + 1e-5))

    def reconstruction(self, model, signal):
        return nn.losses.mse_loss(model(signal), signal)

    def step(self):
        loss, grads = self.loss_and_grad(self.model, self.normalise(self.source.draw(8)))
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()

    def run(self, steps):
        for step in range(steps):
            self.log.record(step, self.step())


mx.random.seed(6)
AutoencoderTrainer(SignalSource(), EpochLog()).run(20)
