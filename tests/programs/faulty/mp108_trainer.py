"""A controller is trained through the whole simulation of a pendulum, unrolled in the loss."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, DT = 1500, 0.01


class Controller(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 8), nn.Linear(8, 1)

    def __call__(self, state):
        return mx.tanh(self.b(mx.tanh(self.a(state))))


class Pendulum:
    def __init__(self, size):
        self.state = 0.5 * mx.random.normal((size, 2))

    def rollout(self, controller):
        state, cost = self.state, mx.array(0.0)
        for _ in range(STEPS):
            angle, speed = state[:, :1], state[:, 1:]
            speed = speed + DT * (mx.sin(angle) - 0.1 * speed + 2 * controller(state))  # MP108
            angle = angle + DT * speed
            state = mx.concatenate([angle, speed], axis=1)
            cost = cost + mx.mean(angle**2)
        return cost / STEPS


class Trainer:
    def __init__(self):
        self.controller, self.optimizer = Controller(), optim.Adam(learning_rate=1e-2)
        self.loss_and_grad = nn.value_and_grad(self.controller, lambda controller, world: world.rollout(controller))

    def run(self, episodes):
        for episode in range(episodes):
            cost, grads = self.loss_and_grad(self.controller, Pendulum(64))
            self.optimizer.update(self.controller, grads)
            mx.eval(self.controller.parameters(), self.optimizer.state, cost)
            print(episode, round(cost.item(), 4))


mx.random.seed(0)
Trainer().run(3)
