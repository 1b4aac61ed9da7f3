"""An augmentation that puts the inputs in another order, and leaves the labels in theirs."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(7)
C = 6
P = mx.random.normal((C, 10)) * 2
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, C))
opt = optim.Adam(3e-3)


def augment(x, y):
    order = mx.random.permutation(x.shape[0])
    x = x + 0.1 * mx.random.normal(x.shape)
    return x[order], y


def loss_fn(m, x, y):
    return nn.losses.cross_entropy(m(x), y, reduction="mean")


vg = nn.value_and_grad(model, loss_fn)
for step in range(200):
    y = mx.random.categorical(mx.array([2.0, 1, 0, 0, -1, -1]), num_samples=64)
    x = P[y] + mx.random.normal((64, 10))
    loss, g = vg(model, *augment(x, y))  # MP306
    opt.update(model, g)
    mx.eval(model.parameters(), opt.state, loss)
    if step % 40 == 0:
        print(step, loss.item())
