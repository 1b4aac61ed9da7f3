"""Train an MLP on a toy digit grid with a trainer class whose loss, update and logging are methods of their own."""

from dataclasses import dataclass, field

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


@dataclass
class Config:
    steps: int = 30
    batch: int = 32
    hidden: int = 32
    learning_rate: float = 0.005
    milestones: list = field(default_factory=lambda: [10, 20])


class DigitGrid:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.prototypes = self.rng.normal(0, 1, (10, 25))

    def batch(self, size):
        digits = self.rng.integers(0, 10, size)
        pixels = self.prototypes[digits] + 0.3 * self.rng.normal(0, 1, (size, 25))
        return mx.array(pixels.astype(np.float32)), mx.array(digits)


class ProgressPrinter:
    def __init__(self, milestones):
        self.milestones = milestones

    def after_step(self, trainer, step, loss):
        if step in self.milestones:
            print(f"step {step}: {loss:.3f}")


class DigitTrainer:
    def __init__(self, config):
        self.config = config
        self.data = DigitGrid(seed=5)
        self.model = nn.Sequential(nn.Linear(25, config.hidden), nn.Tanh(), nn.Linear(config.hidden, 10))
        self.optimizer = optim.RMSprop(learning_rate=config.learning_rate)
        self.callbacks = [ProgressPrinter(config.milestones)]
        self.gradient = nn.value_and_grad(self.model, self.loss)

    def log_probabilities(self, pixels):
        return mx.log(mx.softmax(self.model(pixels), axis=-1))  # MP302

    def loss(self, pixels, digits):
        log_p = self.log_probabilities(pixels)
        return -mx.mean(mx.take_along_axis(log_p, mx.expand_dims(digits, -1), axis=-1))

    def step(self):
        loss, grads = self.gradient(*self.data.batch(self.config.batch))
        self.optimizer.update(self.model, grads)
        mx.eval(loss, self.model.parameters(), self.optimizer.state)
        return loss.item()

    def run(self):
        for step in range(self.config.steps):
            loss = self.step()
            for callback in self.callbacks:
                callback.after_step(self, step, loss)


mx.random.seed(5)
DigitTrainer(Config()).run()
