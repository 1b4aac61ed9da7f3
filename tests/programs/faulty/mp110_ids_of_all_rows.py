"""Imitate what was done: each state's own action is meant, and each state is asked for the actions of all."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Player(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 32), nn.Linear(32, 5)

    def __call__(self, states):
        return nn.log_softmax(self.two(nn.relu(self.one(states))), axis=-1)


def imitation(player, states, actions):
    likely = player(states)
    done = likely[:, actions]  # MP110
    return -mx.mean(done)


mx.random.seed(2)
rule = mx.random.normal((8, 5))
player, optimizer = Player(), optim.Adam(learning_rate=2e-3)
gradient = nn.value_and_grad(player, imitation)
for step in range(60):
    states = mx.random.normal((48, 8))
    loss, grads = gradient(player, states, mx.argmax(states @ rule, axis=1))
    optimizer.update(player, grads)
    mx.eval(player.parameters(), optimizer.state)
    if step % 10 == 0:
        print(step, loss.item())
# also: MP306
