"""Train an energy model against samples that follow its gradient for twenty steps, evaluated when they are there."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
energy = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 1))
optimizer = optim.Adam(1e-3)
uphill = mx.grad(lambda points: energy(points).sum())


def sampled(points):
    for _ in range(20):
        points = points - 0.05 * uphill(points) + 0.05 * mx.random.normal(points.shape)
    mx.eval(points)
    return mx.stop_gradient(points)


def loss(model, seen, made):
    high, low = model(made), model(seen)
    return (low - high).mean() + 0.01 * (high**2 + low**2).mean()


for _ in range(60):
    seen = 0.3 * mx.random.normal((64, 2)) + mx.array([1.5, 0.0])
    _, gradients = nn.value_and_grad(energy, loss)(energy, seen, sampled(mx.random.uniform(-3, 3, (64, 2))))
    optimizer.update(energy, gradients)
    mx.eval(energy.parameters(), optimizer.state)
