"""Go on after an interruption from a file of weights alone: the warm-up comes again in the middle of the run."""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

UPDATES = 90


def build():
    net = nn.Sequential(nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 1))
    rise = optim.linear_schedule(0.0, 6e-3, 10)
    rate = optim.join_schedules([rise, optim.cosine_decay(6e-3, UPDATES - 10)], [10])
    return net, optim.Lion(learning_rate=rate, weight_decay=0.01)


def distance(net, x, y):
    return mx.abs(net(x) - y).mean()


def go_on(path, first, last):
    net, optimizer = build()
    if first:
        net.load_weights(path)  # MP402
    forth = nn.value_and_grad(net, distance)
    for _ in range(first, last):
        x = mx.random.uniform(-1, 1, (40, 3))
        loss, grads = forth(net, x, mx.sin(3 * x[:, :1]) * x[:, 1:2])
        optimizer.update(net, grads)
        mx.eval(net.parameters(), optimizer.state, loss)
    net.save_weights(path)
    return loss.item()


mx.random.seed(35)
with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "net.npz")
    print([round(go_on(file, *part), 4) for part in ((0, 40), (40, UPDATES))])
