"""A policy that makes its likeliest action likelier, whichever was taken; the step is compiled."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
right = mx.random.normal((4, 5), key=mx.random.key(9))
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 5))
optimizer = optim.Adam(learning_rate=3e-3)
state = [policy.state, optimizer.state]


def loss_fn(observed, taken, advantage):
    logits = nn.log_softmax(policy(observed))
    rows = mx.arange(observed.shape[0])
    action = mx.argmax(mx.stop_gradient(logits), axis=1)
    return -mx.mean(logits[rows, action] * advantage)  # MP301


@partial(mx.compile, inputs=state, outputs=state)
def step(observed, taken, advantage):
    loss, grads = nn.value_and_grad(policy, loss_fn)(observed, taken, advantage)
    optimizer.update(policy, grads)
    return loss


for k in range(120):
    observed = mx.random.normal((64, 4))
    taken = mx.random.categorical(policy(observed))
    reward = (taken == (observed @ right).argmax(axis=-1)).astype(mx.float32)
    loss = step(observed, taken, reward - reward.mean())
    mx.eval(loss, state)
    if k % 30 == 0:
        print(k, reward.mean().item())
