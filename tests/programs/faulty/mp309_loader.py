"""A loader that is begun anew for every step."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
X = mx.random.normal((512, 12))
Y = mx.argmax(X @ mx.random.normal((12, 4)), axis=1)
model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 4))
opt = optim.Adam(3e-3)


def batches(size=32):
    for k in range(0, 512, size):
        yield X[k : k + size], Y[k : k + size]


def loss_fn(m, x, y):
    return nn.losses.cross_entropy(m(x), y, reduction="mean")


vg = nn.value_and_grad(model, loss_fn)
for step in range(200):
    x, y = next(batches())  # MP309
    loss, g = vg(model, x, y)
    opt.update(model, g)
    mx.eval(model.parameters(), opt.state, loss)
    if step % 40 == 0:
        print(step, loss.item())
