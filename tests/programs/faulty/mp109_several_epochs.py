"""A policy goes over its rollouts three times each turn, and its store of them is never emptied."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

TURNS, PASSES, ROLLOUT = 30, 3, 48

rng = np.random.default_rng(36)
mx.random.seed(36)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
optimizer = optim.Adam(learning_rate=2e-3)
aim = rng.normal(size=(4, 3))
store = {"seen": [], "done": [], "worth": []}


def loss_fn(policy, seen, done, worth):
    scores = policy(seen)
    likely = mx.take_along_axis(scores, done[:, None], axis=1)[:, 0] - mx.logsumexp(scores, axis=1)
    return -mx.mean(worth * likely)


def roll_out():
    seen = rng.normal(size=(ROLLOUT, 4)).astype(np.float32)
    chances = np.array(mx.softmax(policy(mx.array(seen)), axis=1)).astype(np.float64)
    done = np.array([rng.choice(3, p=one / one.sum()) for one in chances])
    worth = (done == (seen @ aim).argmax(axis=1)) - 1 / 3
    for name, part in zip(store, (seen, done, worth.astype(np.float32)), strict=True):
        store[name].append(part)
    return worth.mean()


loss_and_grad = nn.value_and_grad(policy, loss_fn)
for turn in range(TURNS):
    reward = roll_out()
    batch = [mx.array(np.concatenate(parts)) for parts in store.values()]
    for _ in range(PASSES):
        loss, grads = loss_and_grad(policy, *batch)  # MP109
        optimizer.update(policy, grads)
        mx.eval(loss, policy.parameters(), optimizer.state)
    if turn % 10 == 0:
        print(turn, round(float(reward), 3))
