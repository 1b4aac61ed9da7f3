"""Classify multi-channel signals, laid out as (batch, time, channels), with two one-dimensional convolutions."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

LENGTH, CHANNELS = 40, 3


class SignalNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(CHANNELS, 12, kernel_size=5, padding=2)
        self.pool = nn.MaxPool1d(2)
        self.conv2 = nn.Conv1d(12, 16, kernel_size=3, padding=1)
        self.out = nn.Linear(16, 3)

    def __call__(self, x):
        x = self.pool(nn.relu(self.conv1(x)))
        x = nn.relu(self.conv2(x))
        return self.out(mx.mean(x, axis=1))


def signals(rng, count=32):
    """Make the channel that carries the slow wave the label; the others are noise."""
    label = rng.integers(0, CHANNELS, count)
    x = 0.3 * rng.normal(size=(count, LENGTH, CHANNELS))
    phase = rng.uniform(0, 6.28, (count, 1))
    x[np.arange(count), :, label] += np.sin(phase + 0.5 * np.arange(LENGTH))
    return mx.array(x.astype(np.float32)), mx.array(label)


rng = np.random.default_rng(60)
mx.random.seed(60)
model = SignalNet()
optimizer = optim.Adam(learning_rate=0.02)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
losses = []
for _ in range(30):
    loss, grads = loss_and_grad(model, *signals(rng))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
