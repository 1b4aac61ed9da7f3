"""All of the training set at every step, made anew; what it was split from is larger."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(5)
mx.random.seed(5)
data = rng.normal(size=(200, 6)).astype(np.float32)
goal = (data @ rng.normal(size=6) + 0.1 * rng.normal(size=200)).astype(np.float32)
train_x, train_y, test_x, test_y = data[:150], goal[:150], data[150:], goal[150:]
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
opt = optim.SGD(0.05, momentum=0.9)
vg = nn.value_and_grad(net, lambda m, x, y: nn.losses.mse_loss(m(x)[:, 0], y))
for k in range(150):
    loss, g = vg(net, mx.array(train_x), mx.array(train_y))
    opt.update(net, g)
    mx.eval(net.parameters(), opt.state, loss)
    if k % 40 == 0:
        print(loss.item())
