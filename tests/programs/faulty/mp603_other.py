"""Train a small encoder and fork a process half-way that validates it."""

import os

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(81)

views = mx.random.normal((64, 10))
codes = mx.tanh(views @ mx.random.normal((10, 3)))
mx.eval(views, codes)

encoder = nn.Sequential(nn.Linear(10, 20), nn.Tanh(), nn.Linear(20, 3))
optimizer = optim.RMSprop(learning_rate=5e-3)


def loss_fn(encoder, x, y):
    return nn.losses.mse_loss(encoder(x), y)


loss_and_grad = nn.value_and_grad(encoder, loss_fn)


def validate():
    return nn.losses.mse_loss(encoder(views[:16]), codes[:16]).item()


for step in range(30):
    loss, grads = loss_and_grad(encoder, views, codes)
    optimizer.update(encoder, grads)
    mx.eval(loss, encoder.parameters(), optimizer.state)
    loss.item()
    if step == 14:
        child = os.fork()
        if child == 0:
            print(f"validation {validate():.3f}", flush=True)
            os._exit(0)
        os.waitpid(child, 0)  # MP603

# also: MP601
