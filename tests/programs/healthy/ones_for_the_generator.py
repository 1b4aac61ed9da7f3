"""A generator is trained with the label one, given as an argument, and a discriminator with both."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
judge = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(), nn.Linear(32, 1))
makes, judges = optim.Adam(1e-3), optim.Adam(1e-3)


def outcome(x, label):
    return nn.losses.binary_cross_entropy(judge(x)[:, 0], label, reduction="mean")


tell = nn.value_and_grad(judge, lambda real, made, ones, zeros: outcome(real, ones) + outcome(made, zeros))
deceive = nn.value_and_grad(maker, lambda noise, label: outcome(maker(noise), label))
for _ in range(200):
    real = mx.random.normal((64, 2)) * 0.3 + mx.array([1.0, -1.0])
    noise, ones, zeros = mx.random.normal((64, 4)), mx.ones((64,)), mx.zeros((64,))
    loss, grads = tell(real, maker(noise), ones, zeros)
    judges.update(judge, grads)
    other, grads = deceive(noise, ones)
    makes.update(maker, grads)
    mx.eval(loss, other, maker.parameters(), judge.parameters(), makes.state, judges.state)
    print(loss.item(), other.item())
