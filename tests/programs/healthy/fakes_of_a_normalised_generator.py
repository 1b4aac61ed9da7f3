"""Train a generator with batch normalisation, which makes its fakes for the critic in training mode as usual."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
generator = nn.Sequential(nn.Linear(4, 48), nn.BatchNorm(48), nn.ReLU(), nn.Linear(48, 2))
critic = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
optimizers = [optim.Adam(1e-3, betas=[0.5, 0.9]) for _ in range(2)]
of_critic = nn.value_and_grad(
    critic, lambda critic, real, fake: nn.softplus(-critic(real)).mean() + nn.softplus(critic(fake)).mean()
)
of_generator = nn.value_and_grad(generator, lambda generator, noise: nn.softplus(-critic(generator(noise))).mean())
for _ in range(150):
    real = 0.3 * mx.random.normal((64, 2)) + mx.array([2.0, 2.0])
    fake = mx.stop_gradient(generator(mx.random.normal((64, 4))))
    _, gradients = of_critic(critic, real, fake)
    optimizers[0].update(critic, gradients)
    _, gradients = of_generator(generator, mx.random.normal((64, 4)))
    optimizers[1].update(generator, gradients)
    mx.eval(generator.state, critic.parameters(), [one.state for one in optimizers])
