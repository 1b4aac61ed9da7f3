"""A generator keeps its critic in an object of its own; they are trained in turns of twenty steps."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

TURN = 20


class Judge:
    def __init__(self, critic):
        self.critic = critic


class Generator(nn.Module):
    def __init__(self, critic):
        super().__init__()
        self.judge = Judge(critic)
        self.net = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 6))

    def loss(self, noise):
        return -mx.mean(nn.log_sigmoid(self.judge.critic(self.net(noise))))


def separation(critic, real, made):
    return -mx.mean(nn.log_sigmoid(critic(real))) - mx.mean(nn.log_sigmoid(-critic(made)))


mx.random.seed(64)
critic = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
generator = Generator(critic)
optimizers = {"generator": optim.Adam(learning_rate=1e-3), "critic": optim.Adam(learning_rate=1e-3)}
improve = nn.value_and_grad(generator, lambda model, noise: model.loss(noise))
judge = nn.value_and_grad(critic, separation)
for step in range(6 * TURN):
    noise = mx.random.normal((32, 4))
    if step // TURN % 2:
        loss, grads = judge(critic, mx.random.normal((32, 6)) + 1, generator.net(noise))
        optimizers["critic"].update(critic, grads)
    else:
        loss, grads = improve(generator, noise)
        optimizers["generator"].update(generator, grads)
    mx.eval(generator.parameters(), critic.parameters(), [one.state for one in optimizers.values()], loss)
print(loss.item())
