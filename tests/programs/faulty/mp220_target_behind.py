"""A target network gives the values to learn from, and is never brought up to date."""

import copy

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Learner:
    def __init__(self):
        self.online = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2))
        self.target = copy.deepcopy(self.online)
        self.optimizer = optim.Adam(learning_rate=1e-3)
        self.backward = nn.value_and_grad(self.online, self.error)

    def error(self, before, chosen, rewards, after):
        worth = rewards + 0.95 * self.target(after).max(axis=1)
        guess = mx.take_along_axis(self.online(before), chosen[:, None], axis=1)[:, 0]
        return nn.losses.smooth_l1_loss(guess, mx.stop_gradient(worth), reduction="mean")

    def step(self, *transitions):
        loss, grads = self.backward(*transitions)  # MP220
        self.optimizer.update(self.online, grads)
        mx.eval(loss, self.online.parameters(), self.optimizer.state)


def play(count):
    before = mx.random.normal((count, 4))
    chosen = mx.random.randint(0, 2, (count,))
    return before, chosen, before[:, 0] * (2 * chosen - 1), 0.9 * before + 0.1 * mx.random.normal((count, 4))


mx.random.seed(12)
learner = Learner()
for _ in range(300):
    learner.step(*play(48))
