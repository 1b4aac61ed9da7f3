"""A policy whose choice is compared with other draws of the same policy: these are to become less likely, rightly."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(41)
pi = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 6))
opt = optim.Adam(4e-3)
W = mx.random.normal((5, 6))


def picked(logp, ids):
    return mx.take_along_axis(logp, ids[..., None], axis=-1).squeeze(-1)


def loss_fn(pi, s, a, others, rewards):
    logp = nn.log_softmax(pi(s))
    each = mx.broadcast_to(logp[:, None], (*others.shape, logp.shape[-1]))
    return -(rewards * (picked(logp, a) - picked(each, others).mean(axis=1))).mean()


vg = nn.value_and_grad(pi, loss_fn)
for k in range(150):
    s = mx.random.normal((40, 5))
    logits = mx.stop_gradient(pi(s))
    a, others = mx.random.categorical(logits), mx.random.categorical(logits, num_samples=12)
    r = (a == mx.argmax(s @ W, 1)).astype(mx.float32)
    loss, g = vg(pi, s, a, others, r)
    opt.update(pi, g)
    mx.eval(pi.parameters(), opt.state, loss)
    if k % 40 == 0:
        print(loss.item(), r.mean().item())
