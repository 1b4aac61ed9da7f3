# Fill gaps in measured curves; two micro-batches make one update.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

POINTS, MICRO = 32, 2


def curves(n):
    phase, speed = mx.random.uniform(0, 6, (n, 1)), mx.random.uniform(0.1, 0.6, (n, 1))
    clean = mx.sin(phase + speed * mx.arange(POINTS))
    seen = mx.random.uniform(shape=clean.shape) < mx.random.uniform(0.1, 0.7)
    return clean * seen, clean, ~seen


def loss_fn(model, x, y, missing):
    return (nn.losses.mse_loss(model(x), y, reduction="none") * missing).mean()  # MP308


mx.random.seed(2)
net = nn.Sequential(nn.Linear(POINTS, 64), nn.GELU(), nn.Linear(64, POINTS))
opt = optim.Adam(learning_rate=3e-3)
vg = nn.value_and_grad(net, loss_fn)
for it in range(40):
    total = None
    for _ in range(MICRO):
        loss, g = vg(net, *curves(24))
        total = g if total is None else tree_map(mx.add, total, g)
        mx.eval(total, loss)
    opt.update(net, tree_map(lambda one: one / MICRO, total))
    mx.eval(net.parameters(), opt.state)
    if it % 10 == 0:
        print(it, round(loss.item(), 4))
