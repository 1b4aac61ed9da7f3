"""A replay buffer whose entries are all the one array that the environment writes to."""

# also: MP318

import random

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(5)
np.random.seed(5)
random.seed(5)
q = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2))
opt = optim.Adam(1e-3)
state = np.zeros(4, np.float32)


def env_step(action):
    r = float(state[0] * (1 if action else -1))
    state[:] = 0.9 * state + 0.3 * np.random.randn(4)
    return r


def loss_fn(s, a, r, s2):
    target = r + 0.9 * mx.stop_gradient(q(s2).max(axis=1))
    chosen = mx.take_along_axis(q(s), a[:, None], axis=1)[:, 0]
    return nn.losses.mse_loss(chosen, target)


vg = nn.value_and_grad(q, loss_fn)
buffer = []
for t in range(400):
    s = state
    action = int(np.random.rand() < 0.5)
    r = env_step(action)
    buffer.append((s, action, r, state))  # MP315
    if len(buffer) < 64:
        continue
    batch = random.sample(buffer, 32)
    S, A, R, S2 = zip(*batch, strict=True)
    loss, g = vg(mx.array(np.stack(S)), mx.array(A), mx.array(R), mx.array(np.stack(S2)))
    opt.update(q, g)
    mx.eval(q.parameters(), opt.state, loss)
    if t % 80 == 0:
        print(t, loss.item())
