"""Compile the gradient function without the weights that the optimizer changes outside of it."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(21)
model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.SGD(learning_rate=0.01)
mx.eval(model.parameters())


def loss_fn(x, y):
    return nn.losses.mse_loss(model(x).squeeze(-1), y)


def gradient_of(x, y):
    weights = model.trainable_parameters()
    loss, grads = nn.value_and_grad(model, loss_fn)(x, y)
    model.update(weights)
    return loss, grads


loss_and_grad = mx.compile(gradient_of)  # MP504
for index in range(24):
    x = mx.random.normal((64, 10))
    loss, grads = loss_and_grad(x, x[:, 0] - x[:, 3])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    print(loss.item())
