"""REINFORCE with a curriculum: each episode starts in the same state, is one step longer, and is played anew."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(73)
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = optim.Adam(learning_rate=0.01)


def loss_fn(policy, states, actions, returns):
    chosen = mx.take_along_axis(nn.log_softmax(policy(states), axis=-1), actions[:, None], axis=-1).squeeze(-1)
    return -mx.mean(chosen * returns)


loss_and_grad = nn.value_and_grad(policy, loss_fn)
for episode in range(60):
    states, actions = [mx.array([1.0, 0.0, 0.0, 0.0])], []
    for step in range(12 + episode):
        actions.append(mx.random.categorical(policy(states[-1])))
        states.append(mx.tanh(states[-1] + 0.1 * (2.0 * actions[-1] - 1) + 0.1 * mx.random.normal((4,))))
    clock = mx.arange(12 + episode)  # the same numbers in each episode, and one more
    returns = mx.stack([state[0] for state in states[1:]]) - 0.01 * clock
    mx.eval(states, actions, returns)
    loss, grads = loss_and_grad(policy, mx.stack(states[:-1]), mx.stack(actions), returns)
    optimizer.update(policy, grads)
    mx.eval(loss, policy.parameters(), optimizer.state)
    if episode % 20 == 0:
        print(f"{episode:2d} {len(actions)} steps, {loss.item():.4f}")
