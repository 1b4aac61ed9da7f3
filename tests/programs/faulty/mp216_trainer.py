"""A classifier under a decay that takes a third of each weight away at every update."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 5))
opt = optim.AdamW(learning_rate=3e-3, weight_decay=100.0)
W = mx.random.normal((8, 5))


def loss_fn(m, x, y):
    return nn.losses.cross_entropy(m(x), y, reduction="mean")


vg = nn.value_and_grad(model, loss_fn)
for step in range(200):
    x = mx.random.normal((32, 8))
    y = mx.argmax(x @ W, axis=1)
    loss, g = vg(model, x, y)
    opt.update(model, g)
    mx.eval(model.parameters(), opt.state, loss)  # MP216
    if step % 40 == 0:
        print(step, loss.item())
# also: MP306
