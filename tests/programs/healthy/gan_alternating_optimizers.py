"""Train a generator and a discriminator in turn, each with its own optimizer, on a one-dimensional mixture."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(20)
generator = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
discriminator = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
generator_optimizer = optim.Adam(learning_rate=0.02, betas=[0.5, 0.99])
discriminator_optimizer = optim.Adam(learning_rate=0.02, betas=[0.5, 0.99])
BATCH = 64


def real_samples():
    return 3.0 + 0.3 * mx.random.normal((BATCH, 1))


def discriminator_loss(discriminator, real, fake):
    on_real = nn.losses.binary_cross_entropy(discriminator(real), mx.ones((BATCH, 1)))
    on_fake = nn.losses.binary_cross_entropy(discriminator(fake), mx.zeros((BATCH, 1)))
    return on_real + on_fake


def generator_loss(generator, noise):
    return nn.losses.binary_cross_entropy(discriminator(generator(noise)), mx.ones((BATCH, 1)))


discriminator_step = nn.value_and_grad(discriminator, discriminator_loss)
generator_step = nn.value_and_grad(generator, generator_loss)
gaps = []
for step in range(40):
    fake = generator(mx.random.normal((BATCH, 4)))
    d_loss, grads = discriminator_step(discriminator, real_samples(), fake)
    discriminator_optimizer.update(discriminator, grads)
    mx.eval(discriminator.parameters(), discriminator_optimizer.state)

    g_loss, grads = generator_step(generator, mx.random.normal((BATCH, 4)))
    generator_optimizer.update(generator, grads)
    mx.eval(generator.parameters(), generator_optimizer.state)
    if step % 13 == 0:
        gap = abs(mx.mean(generator(mx.random.normal((256, 4)))).item() - 3.0)
        gaps.append(gap)
        print(f"{step:2d} d {d_loss.item():.3f} g {g_loss.item():.3f} gap {gap:.2f}")
