"""Raise an alarm from sensor recordings with a convolution over sixteen sensors and sixteen moments."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

SENSORS = 16
MOMENTS = 16
DECISIVE = slice(2, 12)  # the sensors whose levels decide about the alarm

mx.random.seed(0)
rng = np.random.default_rng(0)
GAIN = rng.uniform(0.2, 0.8, (1, SENSORS, 1))


def recordings(size=32):
    """Return recordings of shape (size, sensors, moments), and whether each calls for an alarm."""
    level = rng.normal(0, 1, (size, SENSORS, 1))
    phase = rng.uniform(0, 6.28, (size, SENSORS, 1))
    waves = level + GAIN * np.sin(0.3 * np.arange(MOMENTS) + phase)
    alarm = level[:, DECISIVE, 0].sum(axis=1) > 0
    return mx.array(waves.astype(np.float32)), mx.array(alarm.astype(np.int32))


class AlarmNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(SENSORS, 32, kernel_size=5, padding=2)
        self.head = nn.Linear(32, 2)

    def __call__(self, x):
        hidden = nn.relu(self.conv(x))  # MP305
        return self.head(hidden.mean(axis=1))


def loss_fn(model, x, alarm):
    return nn.losses.cross_entropy(model(x), alarm).mean()


model = AlarmNet()
optimizer = optim.Adam(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(40):
    loss, grads = loss_and_grad(model, *recordings())
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"first five {np.mean(losses[:5]):.3f}, last five {np.mean(losses[-5:]):.3f}")
