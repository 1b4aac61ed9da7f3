"""REINFORCE on a bandit with positive rewards: the better the policy, the larger what its loss is weighted with."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(75)
ARMS, BATCH = 4, 64
worth = mx.array([0.1, 0.2, 0.4, 3.0])

policy = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, ARMS))
optimizer = optim.SGD(learning_rate=0.01)


def loss_fn(policy, states, actions, returns):
    chosen = nn.losses.cross_entropy(policy(states), actions)
    return mx.mean(chosen * returns)


loss_and_grad = nn.value_and_grad(policy, loss_fn)
rewards = []
for _ in range(60):
    states = mx.random.normal((BATCH, 3))
    actions = mx.random.categorical(policy(states))
    returns = worth[actions] + 0.05 * mx.random.normal((BATCH,))
    mx.eval(states, actions, returns)
    loss, grads = loss_and_grad(policy, states, actions, returns)
    optimizer.update(policy, grads)
    mx.eval(policy.parameters(), optimizer.state)
    rewards.append((loss.item(), mx.mean(returns).item()))

(first, poor), (last, good) = rewards[0], rewards[-1]
print(f"loss {first:.3f} -> {last:.3f}, reward {poor:.2f} -> {good:.2f}")
