"""Evaluates all that is trained at every tenth step, and means it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
net, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)), optim.Adam(1e-3)
step = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
for number in range(300):
    x = mx.random.normal((16, 8))
    loss, grads = step(x, x[:, :1])
    optimizer.update(net, grads)
    if number % 10 == 9:
        mx.eval(loss, net.parameters(), optimizer.state)
        print(loss.item())
