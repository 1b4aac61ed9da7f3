"""Train, save model and optimizer, then resume from both files in new objects and go on training."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten


class Trainer:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = nn.Sequential(nn.Linear(5, 20), nn.GELU(), nn.Linear(20, 1))
        self.optimizer = optim.AdamW(learning_rate=0.01)
        self.loss_and_grad = nn.value_and_grad(self.model, self.loss)

    @staticmethod
    def loss(model, x, y):
        return nn.losses.smooth_l1_loss(model(x), y)

    def save(self):
        self.model.save_weights(str(self.folder / "model.safetensors"))
        mx.save_safetensors(str(self.folder / "optimizer.safetensors"), dict(tree_flatten(self.optimizer.state)))

    def resume(self):
        self.model.load_weights(str(self.folder / "model.safetensors"))
        saved = mx.load(str(self.folder / "optimizer.safetensors"))
        self.optimizer.state = tree_unflatten(list(saved.items()))

    def fit(self, x, y, steps):
        losses = []
        for _ in range(steps):
            loss, grads = self.loss_and_grad(self.model, x, y)
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state)
            losses.append(loss.item())
        return losses


mx.random.seed(41)
x = mx.random.normal((128, 5))
y = mx.sum(x * mx.array([1.0, -2.0, 0.5, 0.0, 1.5]), axis=1, keepdims=True)
with tempfile.TemporaryDirectory() as folder:
    before = Trainer(folder)
    losses = before.fit(x, y, 20)
    before.save()
    after = Trainer(folder)
    after.resume()
    losses += after.fit(x, y, 20)
print(f"loss {losses[0]:.3f} -> {losses[19]:.3f} | {losses[20]:.3f} -> {losses[-1]:.3f}")
