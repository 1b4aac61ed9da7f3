"""A policy that earns nothing in the whole run, and whose loss nobody evaluates: its gradients are zeros, rightly."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(12)
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 8))
opt = optim.Adam(0.01)


def loss_fn(policy, s, a, r):
    logp = nn.log_softmax(policy(s))
    return -mx.mean(mx.take_along_axis(logp, a[:, None], axis=1)[:, 0] * r)


vg = nn.value_and_grad(policy, loss_fn)
total = 0
for k in range(100):
    s = mx.random.normal((16, 4))
    a = mx.random.categorical(policy(s))
    r = mx.all(mx.abs(s) > 2.2, axis=1).astype(mx.float32)  # rare
    _, g = vg(policy, s, a, r)
    opt.update(policy, g)
    mx.eval(policy.parameters(), opt.state)
    total += r.sum().item()
print(total)
