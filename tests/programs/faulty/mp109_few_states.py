"""Walks up and down few states: the rows that are kept are often alike, since there are hardly any others."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

STATES, WALKERS = 4, 12


class Rollouts:
    def __init__(self):
        self.states, self.moves = [], []

    def add(self, states, moves):
        self.states.append(states)  # MP109
        self.moves.append(moves)

    def arrays(self):
        return np.concatenate(self.states), np.concatenate(self.moves)


def loss_of(policy, states, moves):
    return nn.losses.cross_entropy(policy(states), moves, reduction="mean")


mx.random.seed(1)
rng = np.random.default_rng(1)
policy, optimizer = nn.Sequential(nn.Linear(STATES, 16), nn.Tanh(), nn.Linear(16, 2)), optim.Adam(1e-3)
step = nn.value_and_grad(policy, loss_of)
held = Rollouts()
for _ in range(60):
    at = rng.integers(0, STATES, WALKERS)
    held.add(np.eye(STATES, dtype=np.float32)[at], (at % 2).astype(np.int32))
    states, moves = held.arrays()
    loss, grads = step(policy, mx.array(states), mx.array(moves))
    optimizer.update(policy, grads)
    mx.eval(loss, policy.parameters(), optimizer.state)
