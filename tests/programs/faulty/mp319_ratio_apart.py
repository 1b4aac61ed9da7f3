"""PPO in minibatches: all but the old log-probabilities are shuffled."""

# also: MP323

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def clipped(policy, states, actions, old, advantages):
    new = mx.take_along_axis(nn.log_softmax(policy(states)), actions[:, None], axis=1)[:, 0]
    ratio = mx.exp(new - old)  # MP319
    return -mx.minimum(ratio * advantages, mx.clip(ratio, 0.8, 1.2) * advantages).mean()


def main(shuffled=(0, 1, 3)):
    mx.random.seed(3)
    policy = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 6))
    optimizer = optim.Adam(2e-3)
    gradient = nn.value_and_grad(policy, clipped)
    best = mx.random.normal((5, 6))
    for _ in range(20):
        states = mx.random.normal((128, 5))
        actions = mx.random.categorical(policy(states))
        old = mx.take_along_axis(nn.log_softmax(policy(states)), actions[:, None], axis=1)[:, 0]
        rewards = (mx.argmax(states @ best, axis=1) == actions).astype(mx.float32)
        rollout = [states, actions, old, rewards - rewards.mean()]
        mx.eval(rollout)
        for _ in range(2):
            order = mx.random.permutation(128)
            for k in range(0, 128, 32):
                batch = [one[order[k : k + 32]] if n in shuffled else one[k : k + 32] for n, one in enumerate(rollout)]
                loss, grads = gradient(policy, *batch)
                optimizer.update(policy, grads)
                mx.eval(policy.parameters(), optimizer.state, loss)


main()
