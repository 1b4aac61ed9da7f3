"""Label smoothing and class weights: the loss stays above the entropy of the labels."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(19)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
opt = optim.Adam(3e-3)
W = mx.random.normal((10, 3))
cw = mx.array([3.0, 0.7, 0.4])


def loss_fn(m, x, y):
    return (nn.losses.cross_entropy(m(x), y, label_smoothing=0.3) * cw[y]).mean()


vg = nn.value_and_grad(net, loss_fn)
for k in range(250):
    x = mx.random.normal((64, 10))
    y = mx.argmax(x @ W + 0.5 * mx.random.normal((64, 3)), axis=1)
    loss, g = vg(net, x, y)
    opt.update(net, g)
    mx.eval(net.parameters(), opt.state, loss)
    if k % 50 == 0:
        print(loss.item())
