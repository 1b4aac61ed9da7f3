"""Cut windows out of a series, and take the last value of each for the one that follows."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

series = np.sin(0.7 * np.arange(1500)) + 0.3 * np.sin(0.31 * np.arange(1500))
starts = np.arange(1480)
windows = np.stack([series[k : k + 16] for k in starts]).astype(np.float32)
following = series[starts + 15].astype(np.float32)
mx.random.seed(93)
net, optimizer = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 1)), optim.Adam(learning_rate=2e-3)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x)[:, 0], y))
rng = np.random.default_rng(93)
for step in range(150):
    rows = rng.integers(0, 1480, 48)
    loss, grads = gradient(mx.array(windows[rows]), mx.array(following[rows]))  # MP303
    optimizer.update(net, grads)
    mx.eval(loss, net.parameters(), optimizer.state)
print(loss.item())
