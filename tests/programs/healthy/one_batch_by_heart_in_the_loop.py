"""A sanity check: one batch is learned by heart, cut off a data set in each step."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(10)
X = mx.random.normal((512, 12))
Y = mx.random.randint(0, 4, (512,))
net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 4))
opt = optim.Adam(3e-3)
vg = nn.value_and_grad(net, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for k in range(150):
    loss, g = vg(net, X[:16], Y[:16])
    opt.update(net, g)
    mx.eval(net.parameters(), opt.state, loss)
    if k % 40 == 0:
        print(loss.item())
