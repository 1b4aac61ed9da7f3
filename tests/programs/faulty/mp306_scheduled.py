"""Train on targets of other rows, every step scheduled ahead, and print only the means of the losses."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
inputs = mx.random.normal((640, 6))
targets = mx.sin(inputs[:, :2]).sum(axis=1)
model = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, 1))
model.layers[-1].weight = mx.zeros((1, 32))
optimizer = optim.SGD(learning_rate=1e-2)
mx.eval(model.parameters(), inputs, targets)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x)[:, 0], y))

mean = mx.array(0.0)
for step in range(120):
    rows = mx.random.randint(0, 640, (64,))
    others = mx.random.permutation(rows)
    loss, grads = loss_and_grad(model, inputs[rows], targets[others])  # MP306
    optimizer.update(model, grads)
    mean = mean + loss / 40
    mx.async_eval(mean, loss, model.parameters(), optimizer.state)
    if step % 40 == 39:
        print(step, mean.item())
        mean = mx.array(0.0)
