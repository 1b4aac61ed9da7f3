"""A policy whose actions are picked by index, and whose loss has the wrong sign."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 4))
opt = optim.SGD(0.1)
W = mx.random.normal((6, 4))


def reinforce(obs, acts, adv):
    logits = net(obs)
    logp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    picked = logp[mx.arange(obs.shape[0]), acts]
    return (picked * adv).mean()  # MP310


vg = nn.value_and_grad(net, reinforce)
base = 0.25
for step in range(200):
    obs = mx.random.normal((48, 6))
    acts = mx.random.categorical(net(obs))
    rew = (acts == mx.argmax(obs @ W, axis=1)).astype(mx.float32)
    base = 0.9 * base + 0.1 * rew.mean().item()
    loss, g = vg(obs, acts, rew - base)
    opt.update(net, g)
    mx.eval(net.parameters(), loss)
    if step % 40 == 0:
        print(step, rew.mean().item())
