"""Keeps every number of every transition as an array of its own, for as long as the run lasts."""

import random

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Replay:
    def __init__(self):
        self.held = []

    def push(self, *transition):
        self.held.append(tuple(mx.array(one) for one in transition))  # MP114

    def sample(self, size):
        return [mx.stack(every) for every in zip(*random.sample(self.held, size), strict=True)]


def loss_of(value, states, moves, rewards):
    return nn.losses.mse_loss(mx.take_along_axis(value(states), moves[:, None], axis=1)[:, 0], rewards)


def main():
    random.seed(0)
    mx.random.seed(0)
    value, optimizer, replay = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)), optim.Adam(1e-3), Replay()
    step = nn.value_and_grad(value, loss_of)
    for _ in range(200):
        for _ in range(12):
            state, move = [random.gauss(0, 1), random.gauss(0, 1)], random.randrange(2)
            replay.push(state, move, state[move])
        loss, grads = step(value, *replay.sample(8))
        optimizer.update(value, grads)
        mx.eval(loss, value.parameters(), optimizer.state)


main()
