"""Learn to take away noise and gaps, whose keys are split at each step from a root that moves on."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
root = mx.random.key(11)
model, optimizer = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)), optim.Adam(3e-3)


def loss_fn(model, x):
    global root
    root, for_noise, for_gaps = mx.random.split(root, 3)
    noisy = x + 0.5 * mx.random.normal(x.shape, key=for_noise)
    noisy = noisy * (mx.random.uniform(shape=x.shape, key=for_gaps) > 0.1)
    return nn.losses.mse_loss(model(noisy), x)


loss_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(60):
    x = mx.random.normal((32, 3)) @ mx.ones((3, 8))
    loss, grads = loss_and_grad(model, x)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
