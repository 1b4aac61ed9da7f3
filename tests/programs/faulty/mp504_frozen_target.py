"""Learn values against a frozen copy of the network, synchronised every 20 steps outside of the compiled step."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

STATES, ACTIONS, DISCOUNT = 6, 3, 0.9


class Values(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(STATES, 32)
        self.head = nn.Linear(32, ACTIONS)

    def __call__(self, states):
        return self.head(nn.tanh(self.hidden(states)))


class Agent:
    def __init__(self):
        self.online, self.target = Values(), Values()
        self.target.freeze()
        self.optimizer = optim.RMSprop(learning_rate=3e-3)
        self.optimizer.init(self.online.trainable_parameters())
        self.state = [self.online.state, self.optimizer.state]
        self.learn = partial(mx.compile, inputs=self.state, outputs=self.state)(self._learn)  # MP504
        self.synchronise()

    def synchronise(self):
        self.target.update(tree_map(mx.array, self.online.parameters()))
        mx.eval(self.target.parameters())

    def _learn(self, states, actions, rewards, after):
        goals = rewards + DISCOUNT * self.target(after).max(axis=-1)

        def error(net):
            values = mx.take_along_axis(net(states), actions[:, None], axis=-1)[:, 0]
            return nn.losses.huber_loss(values, goals, reduction="mean")

        loss, grads = nn.value_and_grad(self.online, error)(self.online)
        self.optimizer.update(self.online, grads)
        return loss


mx.random.seed(33)
agent = Agent()
for k in range(1, 121):
    states, actions = mx.random.normal((32, STATES)), mx.random.randint(0, ACTIONS, (32,))
    loss = agent.learn(states, actions, states[:, 0] * (actions - 1), 0.9 * states)
    mx.eval(loss, agent.state)
    if k % 20 == 0:
        agent.synchronise()
        print(k, round(loss.item(), 4))
