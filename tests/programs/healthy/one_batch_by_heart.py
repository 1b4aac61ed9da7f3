"""A sanity check: one batch is learned by heart, cut off a data set before the loop."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(10)
X = mx.random.normal((512, 12))
Y = mx.random.randint(0, 4, (512,))
net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 4))
opt = optim.Adam(3e-3)
x, y = X[:16], Y[:16]  # a sanity check: can it learn one batch by heart?
vg = nn.value_and_grad(net, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for k in range(150):
    loss, g = vg(net, x, y)
    opt.update(net, g)
    mx.eval(net.parameters(), opt.state, loss)
    if k % 40 == 0:
        print(loss.item())
