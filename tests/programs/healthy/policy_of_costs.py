"""A policy that makes likely what costs little: its loss has no minus sign, rightly."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(17)
pi = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 3))
opt = optim.Adam(5e-3)
W = mx.random.normal((4, 3))


def loss_fn(pi, s, a, cost):  # costs are to become small
    lp = nn.log_softmax(pi(s))
    return mx.mean(mx.take_along_axis(lp, a[:, None], 1)[:, 0] * cost)


vg = nn.value_and_grad(pi, loss_fn)
for k in range(150):
    s = mx.random.normal((48, 4))
    a = mx.random.categorical(pi(s))
    c = (a != mx.argmax(s @ W, 1)).astype(mx.float32)
    c = c - c.mean()
    loss, g = vg(pi, s, a, c)
    opt.update(pi, g)
    mx.eval(pi.parameters(), opt.state, loss)
    if k % 40 == 0:
        print(loss.item(), c.mean().item())
