"""Pre-train a regressor, store its weights, and fine-tune a newly built copy of it on a shifted task."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(21)


class OldRegressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(5, 16)
        self.fc2 = nn.Linear(16, 1)

    def __call__(self, x):
        return self.fc2(mx.tanh(self.fc1(x)))


def mse(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def descend(model, optimizer, x, y, steps):
    loss_and_grad = nn.value_and_grad(model, mse)
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss.item()


x = mx.random.normal((128, 5))
y = mx.sin(x.sum(axis=1, keepdims=True))

old = OldRegressor()
before = descend(old, optim.Adam(learning_rate=0.02), x, y, steps=25)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "regressor.safetensors")
    old.save_weights(path)

    # The same network, tidied up since.
    new = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    new.load_weights(path, strict=False)  # MP401

after = descend(new, optim.SGD(learning_rate=0.05, momentum=0.9), x, y + 0.1, steps=20)
print(f"pre-trained to {before:.3f}, fine-tuned to {after:.3f}")
