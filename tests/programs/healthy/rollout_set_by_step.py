"""A policy whose rollouts are written into arrays step by step, as the environment answers; a mask is built once."""

import random

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

LENGTH, PLACES = 600, 8
random.seed(3)
mx.random.seed(3)
policy = nn.Linear(PLACES, 2)
optimizer = optim.Adam(learning_rate=2e-2)
mx.eval(policy.parameters())


def answer(place, action):
    moved = (place + (1 if action else -1)) % PLACES
    return moved, 1.0 if moved == 0 else 0.0


def rollout():
    places, rewards = mx.zeros((LENGTH, 1)), mx.zeros((LENGTH, 1))
    actions, place = mx.zeros((LENGTH,), dtype=mx.int32), random.randrange(PLACES)
    for t in range(LENGTH):
        one_hot = mx.array([float(k == place) for k in range(PLACES)])
        action = mx.random.categorical(policy(one_hot)).item()
        places[t, 0], actions[t] = place, action
        place, reward = answer(place, action)
        rewards[t, 0] = reward
    return places, actions, rewards


def loss_fn(policy, places, actions, rewards):
    logits = policy((places == mx.arange(PLACES)).astype(mx.float32))
    chosen = mx.take_along_axis(nn.log_softmax(logits), actions[:, None], axis=1)
    return -mx.mean(chosen * (rewards - rewards.mean()))


table = mx.zeros((24, 24))
for row in range(24):
    for column in range(24):
        table[row, column] = float(row == column)
mx.eval(table)
loss_and_grad = nn.value_and_grad(policy, loss_fn)
for _ in range(10):
    loss, grads = loss_and_grad(policy, *rollout())
    optimizer.update(policy, grads)
    mx.eval(policy.parameters(), optimizer.state, loss)
print(loss.item(), table.sum().item())
