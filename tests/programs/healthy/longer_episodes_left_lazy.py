"""REINFORCE with ever longer episodes: states, returns and their mean stay arrays that nobody evaluates alone."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
policy = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = optim.Adam(learning_rate=1e-2)


def loss_fn(states, actions, advantages):
    chosen = mx.take_along_axis(nn.log_softmax(policy(states)), actions[:, None], axis=1)
    return -mx.mean(chosen.squeeze(1) * advantages)


loss_and_grad = nn.value_and_grad(policy, loss_fn)
for episode in range(40):
    state, states, actions, rewards = mx.zeros((2,)), [], [], []
    for _ in range(4 + 2 * episode):
        states.append(state)
        action = mx.random.categorical(policy(state))
        actions.append(action)
        state = 0.9 * state + 0.1 * mx.stack([action, 1 - action])
        rewards.append(state[0] - state[1])
    total, returns = mx.array(0.0), []
    for reward in reversed(rewards):
        total = reward + 0.99 * total
        returns.append(total)
    returns = mx.stack(returns[::-1])
    mean = mx.mean(returns)
    loss, grads = loss_and_grad(mx.stack(states), mx.stack(actions), returns - mean)
    optimizer.update(policy, grads)
    mx.eval(policy.parameters(), optimizer.state)
print(f"loss {loss.item():.3f}")
