"""Pre-train and then fine-tune an autoencoder with a trainer that restores, trains and notifies callbacks."""

import os
import tempfile
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_unflatten


@dataclass
class Settings:
    pretrained: str | None = None
    steps: int = 25
    learning_rate: float = 0.02


class PrintWeightCount:
    def on_restore(self, weights):
        print(f"{len(weights)} tensors, {sum(w.size for w in weights.values())} numbers restored")

    def on_end(self, losses):
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")


class Trainer:
    def __init__(self, settings, callbacks):
        self.settings = settings
        self.callbacks = callbacks
        self.model = nn.Sequential(nn.Linear(12, 4), nn.Tanh(), nn.Linear(4, 12))
        if settings.pretrained:
            self.restore()
        self.optimizer = optim.AdamW(learning_rate=settings.learning_rate)
        self.value_and_grad = nn.value_and_grad(self.model, self.loss)

    def restore(self):
        weights = mx.load(self.settings.pretrained)  # MP401
        self.restored = tree_unflatten(list(weights.items()))
        self.notify("on_restore", weights)

    def notify(self, event, *args):
        for callback in self.callbacks:
            getattr(callback, event)(*args)

    def loss(self, x):
        return mx.mean((self.model(x) - x) ** 2)

    def step(self, x):
        loss, grads = self.value_and_grad(x)
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss.item()

    def fit(self, mixing):
        losses = [self.step(mx.random.normal((32, 3)) @ mixing) for _ in range(self.settings.steps)]
        self.notify("on_end", losses)


def main():
    mx.random.seed(22)
    mixing = mx.random.normal((3, 12)) * 0.5
    callbacks = [PrintWeightCount()]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "autoencoder.safetensors")
        teacher = Trainer(Settings(), callbacks)
        teacher.fit(mixing)
        teacher.model.save_weights(path)
        Trainer(Settings(pretrained=path, learning_rate=0.01), callbacks).fit(mixing)


main()
