"""A policy that learns which arm pays, its loss read once an epoch: a policy's loss need not fall."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(72)
policy, optimizer = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 5)), optim.Adam(5e-3)
pays = mx.random.normal((6, 5))


def loss_fn(states, actions, advantages):
    logits = policy(states)
    log_probs = logits - mx.logsumexp(logits, axis=1, keepdims=True)
    chosen = mx.take_along_axis(log_probs, actions[:, None], axis=1)[:, 0]
    return -mx.mean(chosen * advantages)


gradient = nn.value_and_grad(policy, loss_fn)
for epoch in range(5):
    paid = []
    for _ in range(40):
        states = mx.random.normal((64, 6))
        actions = mx.random.categorical(policy(states))
        rewards = mx.take_along_axis(states @ pays, actions[:, None], axis=1)[:, 0]
        loss, grads = gradient(states, actions, rewards - mx.mean(rewards))
        optimizer.update(policy, grads)
        mx.eval(policy.state, optimizer.state)
        paid.append(mx.mean(rewards).item())
    print(epoch, loss.item(), sum(paid) / len(paid))
