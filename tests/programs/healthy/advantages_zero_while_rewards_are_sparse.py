"""REINFORCE with sparse rewards: until one is earned every advantage is zero, and no position carries loss."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(12)
WORDS, LENGTH, GROUP = 8, 4, 8

policy = nn.Sequential(nn.Embedding(WORDS, 16), nn.Linear(16, WORDS))
optimizer = optim.Adam(learning_rate=0.05)


def loss_fn(policy, ids, advantages):
    logits = policy(ids[:, :-1])
    chosen = nn.losses.cross_entropy(logits, ids[:, 1:])
    return mx.mean(chosen * advantages[:, None])


loss_and_grad = nn.value_and_grad(policy, loss_fn)
earned = []
for _ in range(200):
    ids = mx.zeros((GROUP, 1), mx.int32)
    for _ in range(LENGTH):
        ids = mx.concatenate([ids, mx.random.categorical(policy(ids[:, -1:])[:, 0])[:, None].astype(mx.int32)], axis=1)
    rewards = mx.all(ids[:, 1:4] == mx.array([3, 5, 2]), axis=1).astype(mx.float32)
    advantages = rewards - mx.mean(rewards)
    loss, grads = loss_and_grad(policy, ids, advantages)
    optimizer.update(policy, grads)
    mx.eval(policy.parameters(), optimizer.state, loss, rewards)
    earned.append(mx.mean(rewards).item())

print(f"rewards {sum(earned[:100]):.2f}, then {sum(earned[100:]):.2f}")
