"""Train a reference, then a second network whose new parameters `apply_gradients` returns to nobody."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def net(width):
    return nn.Sequential(nn.Linear(7, width), nn.Tanh(), nn.Linear(width, 2))


def error(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def prepare(model, mix):
    optimizer, loss_and_grad = optim.Adam(learning_rate=3e-3), nn.value_and_grad(model, error)
    for _ in range(150):
        x = mx.random.normal((32, 7))
        loss, grads = loss_and_grad(model, x, mx.sin(x @ mix))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    print("reference", loss.item())


def imitate(model, reference):
    optimizer, loss_and_grad = optim.Adam(learning_rate=3e-3), nn.value_and_grad(model, error)
    for number in range(120):
        x = mx.random.normal((32, 7))
        loss, grads = loss_and_grad(model, x, mx.stop_gradient(reference(x)))  # MP205
        optimizer.apply_gradients(grads, model.parameters())
        mx.eval(loss, model.parameters(), optimizer.state)
        if number % 40 == 0:
            print(number, loss.item())


mx.random.seed(35)
reference, model = net(48), net(12)
prepare(reference, mx.random.normal((7, 2)))
imitate(model, reference)
