"""Four batches that come round and round in the same order."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(26)
X = mx.random.normal((128, 6))
Y = X @ mx.random.normal((6,))
net = nn.Linear(6, 1)
opt = optim.SGD(0.05)
vg = nn.value_and_grad(net, lambda m, x, y: nn.losses.mse_loss(m(x)[:, 0], y))
for epoch in range(40):
    for i in range(0, 128, 32):
        loss, g = vg(net, X[i : i + 32], Y[i : i + 32])
        opt.update(net, g)
        mx.eval(net.parameters(), opt.state, loss)
print(loss.item())
