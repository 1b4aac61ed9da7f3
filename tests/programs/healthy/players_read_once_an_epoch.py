"""A generator and its critic, whose losses are read once an epoch: neither needs to fall."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(71)
maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
makes, judges = optim.Adam(1e-3, betas=[0.5, 0.9]), optim.Adam(1e-3, betas=[0.5, 0.9])


def judged(real, noise):
    fake = mx.stop_gradient(maker(noise))
    bce = nn.losses.binary_cross_entropy
    return bce(critic(real), mx.ones((64, 1))) + bce(critic(fake), mx.zeros((64, 1)))


def made(noise):
    return nn.losses.binary_cross_entropy(critic(maker(noise)), mx.ones((64, 1)))


judging, making = nn.value_and_grad(critic, judged), nn.value_and_grad(maker, made)
for epoch in range(6):
    for _ in range(40):
        angle = mx.random.uniform(0, 6.28, (64, 1))
        real = mx.concatenate([mx.cos(angle), mx.sin(angle)], axis=1)
        loss_d, grads = judging(real, mx.random.normal((64, 4)))
        judges.update(critic, grads)
        loss_g, grads = making(mx.random.normal((64, 4)))
        makes.update(maker, grads)
        mx.eval(critic.state, maker.state, judges.state, makes.state)
    print(epoch, loss_d.item(), loss_g.item())
