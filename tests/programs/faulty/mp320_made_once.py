"""A discriminator whose false samples were made before the loop."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


def network(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))


def told_apart(discriminator, real, false):
    right = nn.losses.binary_cross_entropy(discriminator(real)[:, 0], mx.ones(len(real)))
    return right.mean() + nn.losses.binary_cross_entropy(discriminator(false)[:, 0], mx.zeros(len(false))).mean()


def taken_for_real(generator, discriminator, noise):
    scores = discriminator(generator(noise))[:, 0]
    return nn.losses.binary_cross_entropy(scores, mx.ones(len(noise))).mean()


def main(n=32):
    mx.random.seed(0)
    generator, discriminator = network(4, 2), network(2, 1)
    its, others = optim.Adam(1e-3), optim.Adam(1e-3)
    judge = nn.value_and_grad(discriminator, told_apart)
    forge = nn.value_and_grad(generator, taken_for_real)
    false = mx.stop_gradient(generator(mx.random.normal((n, 4))))
    data = np.random.default_rng(0)
    for _ in range(300):
        real = mx.array(data.normal(3.0, 1.0, (n, 2)).astype(np.float32))
        _, grads = judge(discriminator, real, false)  # MP320
        others.update(discriminator, grads)
        _, grads = forge(generator, discriminator, mx.random.normal((n, 4)))
        its.update(generator, grads)
        mx.eval(generator.parameters(), discriminator.parameters(), its.state, others.state)


main()
