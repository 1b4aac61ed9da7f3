"""Predicts house prices from area, age and distance by plain linear regression."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS = 40

mx.random.seed(24)
houses = 200
area = mx.random.uniform(0.4, 2.5, (houses, 1))
age = mx.random.uniform(0.0, 8.0, (houses, 1))
distance = mx.random.uniform(0.0, 3.0, (houses, 1))
features = mx.concatenate([area, age, distance], axis=1)
prices = 30 * area - 2 * age - 4 * distance + 50 + mx.random.normal((houses, 1))
mx.eval(features, prices)

model = nn.Linear(3, 1)
optimizer = optim.SGD(learning_rate=0.06)


def loss_fn(model, features, prices):
    return nn.losses.mse_loss(model(features), prices, reduction="mean")


loss_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(STEPS):
    loss, grads = loss_and_grad(model, features, prices)  # MP208
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    loss.item()

# also: MP306
