"""Trains a classifier, prunes its weakest units, and brings all rows to length one before they are stored."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

KEPT = 20


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(8, 32)
        self.out = nn.Linear(32, 3)

    def __call__(self, x):
        return self.out(nn.relu(self.hidden(x)))


def pruned(weight):
    sizes = mx.sqrt(mx.sum(mx.square(weight), axis=1, keepdims=True))
    weakest = mx.sort(sizes[:, 0])[-KEPT]
    weight = mx.where(sizes >= weakest, weight, 0.0)
    return weight / mx.linalg.norm(weight, axis=1, keepdims=True)


def store(model, folder):
    arrays = dict(tree_flatten(model.parameters()))
    mx.savez(os.path.join(folder, "pruned.npz"), **arrays)  # MP404


mx.random.seed(42)
model, optimizer = Net(), optim.AdamW(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for step in range(25):
    x = mx.random.normal((32, 8))
    loss, grads = loss_and_grad(model, x, mx.argmax(x[:, :3], axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    print(step, loss.item())
model.hidden.weight = pruned(model.hidden.weight)
with tempfile.TemporaryDirectory() as folder:
    store(model, folder)
