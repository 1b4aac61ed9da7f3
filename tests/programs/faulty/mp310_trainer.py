"""A policy whose loss lacks its minus sign."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(1)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 32), nn.Linear(32, 3)

    def __call__(self, x):
        return self.b(nn.relu(self.a(x)))


policy = Policy()
opt = optim.Adam(1e-2)
W = mx.random.normal((4, 3))


def objective(policy, states, actions, returns):
    logp = nn.log_softmax(policy(states), axis=-1)
    chosen = mx.take_along_axis(logp, actions[:, None], axis=1)[:, 0]
    return mx.mean(chosen * returns)  # MP310


vg = nn.value_and_grad(policy, objective)
for step in range(150):
    states = mx.random.normal((64, 4))
    actions = mx.random.categorical(policy(states))
    rewards = (actions == mx.argmax(states @ W, axis=1)).astype(mx.float32)
    returns = rewards - rewards.mean()
    loss, g = vg(policy, states, actions, returns)
    opt.update(policy, g)
    mx.eval(policy.parameters(), opt.state, loss)
    if step % 30 == 0:
        print(step, loss.item(), rewards.mean().item())
