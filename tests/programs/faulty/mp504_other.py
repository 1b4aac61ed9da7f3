"""Validate by a compiled function that was not told of the weights: it shows the first epoch's for ever."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def cross_entropy(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = optim.Adam(learning_rate=0.01)
        self.state = [model.state, self.optimizer.state]
        self.step = partial(mx.compile, inputs=self.state, outputs=self.state)(self.train_step)
        self.validate = mx.compile(self.validation_loss)  # MP504

    def train_step(self, x, y):
        loss, grads = nn.value_and_grad(self.model, cross_entropy)(self.model, x, y)
        self.optimizer.update(self.model, grads)
        return loss

    def validation_loss(self, x, y):
        return cross_entropy(self.model, x, y)


def batch():
    x = mx.random.normal((48, 5))
    return x, mx.argmax(x[:, :3], axis=-1)


mx.random.seed(13)
trainer, held_out = Trainer(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))), batch()
for epoch in range(4):
    for _ in range(8):
        loss = trainer.step(*batch())
        mx.eval(loss, trainer.state)
    print(epoch, loss.item(), trainer.validate(*held_out).item())
