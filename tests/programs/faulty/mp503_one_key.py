"""Learn to take noise away that is drawn for each step, and always with the key of the first."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def corrupted(x):
    noise = mx.random.normal(x.shape, key=mx.random.key(3))  # MP503
    return x + 0.5 * noise


mx.random.seed(0)
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(model, lambda noisy, x: nn.losses.mse_loss(model(noisy), x))
for _ in range(60):
    x = mx.random.normal((32, 3)) @ mx.ones((3, 8))
    loss, grads = loss_and_grad(corrupted(x), x)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
