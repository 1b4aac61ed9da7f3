"""Forecast smooth sensor curves with a convolution over windows of sixteen samples from sixteen sensors (NLC)."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

SENSORS = WINDOW = 16


def windows(rng, frequency, count=32):
    """Give (count, WINDOW, SENSORS) slow sines, one unrelated amplitude and phase a sensor, and their next values."""
    time = np.arange(WINDOW + 1)[None, :, None]
    phase = rng.uniform(0, 2 * np.pi, (count, 1, SENSORS))
    amplitude = rng.normal(size=(count, 1, SENSORS))
    curve = (amplitude * np.sin(frequency * time + phase)).astype(np.float32)
    return mx.array(curve[:, :-1]), mx.array(curve[:, -1])


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(SENSORS, 32, kernel_size=3)
        self.out = nn.Linear(32 * 2, SENSORS)

    def __call__(self, x):
        h = nn.leaky_relu(self.conv(x), 0.3)
        return self.out(mx.concatenate([h[:, -1], h[:, -2]], axis=-1))


rng = np.random.default_rng(61)
mx.random.seed(61)
frequency = rng.uniform(0.1, 0.3, SENSORS)
model = Forecast()
optimizer = optim.AdamW(learning_rate=0.01)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
losses = []
for _ in range(40):
    loss, grads = loss_and_grad(model, *windows(rng, frequency))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
