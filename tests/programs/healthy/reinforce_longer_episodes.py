"""REINFORCE on a corridor: episodes get longer as the policy learns to stay, and each has containers of its own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(71)
rng = np.random.default_rng(71)
CELLS = 9

policy = nn.Sequential(nn.Linear(CELLS, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = optim.Adam(learning_rate=0.02)


def loss_fn(policy, states, actions, returns):
    log_probabilities = nn.log_softmax(policy(states), axis=-1)
    chosen = mx.take_along_axis(log_probabilities, actions[:, None], axis=-1).squeeze(-1)
    return -mx.mean(chosen * returns)


loss_and_grad = nn.value_and_grad(policy, loss_fn)


def play(limit):
    states, actions, rewards = [], [], []
    cell = CELLS // 2
    while 0 < cell < CELLS - 1 and len(states) < limit:
        state = mx.zeros((CELLS,))
        state[cell] = 1.0
        action = mx.random.categorical(policy(state))
        states.append(state)
        actions.append(action)
        rewards.append(1.0)
        cell += 1 if action.item() else -1
    return states, actions, rewards


def run(episodes):
    lengths = []
    for episode in range(episodes):
        states, actions, rewards = play(limit=10 + 2 * episode)
        returns = np.cumsum(rewards[::-1])[::-1] - 8.0
        loss, grads = loss_and_grad(policy, mx.stack(states), mx.stack(actions), mx.array(returns.astype(np.float32)))
        optimizer.update(policy, grads)
        mx.eval(loss, policy.parameters(), optimizer.state)
        loss.item()
        lengths.append(len(states))
    return lengths


lengths = run(60)
print(f"episodes of {np.mean(lengths[:10]):.1f}, then of {np.mean(lengths[-10:]):.1f}")
