# Samples are gathered by one index array; a few are looked at one by one.
import random

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

random.seed(0)
mx.random.seed(0)
data = mx.random.normal((4000, 8))
labels = (data.sum(axis=1) > 0).astype(mx.int32)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
opt = optim.Adam(learning_rate=1e-2)
vg = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for step in range(24):
    picked = random.sample(range(4000), 1500)
    x = data[mx.array(picked)]
    shown = [x[k, 0].item() for k in range(20)]
    y = labels[mx.array(picked)]
    loss, grads = vg(model, x, y)
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state)
    if step % 6 == 0:
        print(step, loss.item())
