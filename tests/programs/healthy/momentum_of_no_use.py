"""Plain SGD has a momentum of zeros that nobody reads: it waits for ever, and nothing waits for it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
model = nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(8, 8), nn.Tanh())], nn.Linear(8, 1))
opt = optim.SGD(3e-2)
w = mx.random.normal((8,))


def loss_fn(x, y):
    return nn.losses.mse_loss(model(x)[:, 0], y)


vg = nn.value_and_grad(model, loss_fn)
for step in range(150):
    x = mx.random.normal((32, 8))
    loss, g = vg(x, x @ w)
    model.update(opt.apply_gradients(g, model))
    mx.eval(loss, model.parameters())
    if step % 30 == 0:
        print(step, loss.item())
